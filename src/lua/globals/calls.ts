import type { Bytes } from '../../util/bytes.js';
import { type Pointer, REGISTRY, STATUS, TYPE } from '../api.js';
import type { HostFunction, LuaVm } from '../vm.js';
import type { StateFunctions, StateOptions } from './state.js';

/** Older names of operations. */
const ALIASES: Readonly<Record<string, string>> = {
  get_migration_status: 'migration_status',
  get_schema_versions: 'schema_versions',
};

/**
 * The operations that the host announces by name: each sends its arguments and pushes the value that comes back. While one is under way, the host's
 * events go to the function given to `on_progress`.
 */
export function namedCalls(vm: LuaVm, state: StateFunctions, options: StateOptions): [string, HostFunction][] {
  if (options.calls.length === 0) return [];
  const progress = new Progress(vm, state);
  options.onEvent((event) => progress.tell(event));
  const functions = options.calls.map((name): [string, HostFunction] => [
    ALIASES[name] === undefined ? name : `${name} ${ALIASES[name]}`,
    (L) => {
      const args = encodeArguments(vm, state, L);
      state.decoder.push(
        L,
        progress.during(L, () => state.port.call(name, args)),
      );
      return 1;
    },
  ]);
  return [...functions, ['on_progress', (L) => progress.register(L)]];
}

/** All arguments of a call as one MessagePack array. */
function encodeArguments(vm: LuaVm, state: StateFunctions, L: Pointer): Bytes {
  const count = vm.lua.lua_gettop(L);
  const parts: Uint8Array[] = [new Uint8Array([0xdc, count >> 8, count & 0xff])];
  for (let i = 1; i <= count; i++) parts.push(state.encode(L, i).slice());
  return Buffer.concat(parts);
}

/** The script's listener. It is kept in the VM's registry; here is only under which address. */
class Progress {
  readonly #vm: LuaVm;
  readonly #state: StateFunctions;
  readonly #listenerKey: Pointer;
  readonly #errorKey: Pointer;
  /** The coroutine whose call is under way. */
  #L: Pointer = 0;
  #failed = false;

  constructor(vm: LuaVm, state: StateFunctions) {
    this.#vm = vm;
    this.#state = state;
    this.#listenerKey = vm.cstring('llmspell.progress.listener');
    this.#errorKey = vm.cstring('llmspell.progress.error');
  }

  /** `State.on_progress(fn)`; nil takes the listener away. */
  register(L: Pointer): number {
    const { lua } = this.#vm;
    if (!this.#state.arguments.absent(L, 1)) lua.luaL_checktype(L, 1, TYPE.function);
    lua.lua_settop(L, 1);
    lua.lua_rawsetp(L, REGISTRY, this.#listenerKey);
    return 0;
  }

  /** Runs an operation. An error in the listener does not stop it, but is raised when it is done. */
  during(L: Pointer, operation: () => Bytes): Bytes {
    const outer = this.#L;
    this.#L = L;
    try {
      const result = operation();
      if (this.#failed) this.#raise(L);
      return result;
    } finally {
      this.#L = outer;
    }
  }

  tell(event: Bytes): void {
    const { lua } = this.#vm;
    const L = this.#L;
    if (L === 0 || this.#failed) return;
    if (lua.lua_rawgetp(L, REGISTRY, this.#listenerKey) === TYPE.nil) {
      lua.lua_settop(L, -2);
      return;
    }
    this.#state.decoder.push(L, event);
    if (lua.lua_pcallk(L, 1, 0, 0, 0, 0) === STATUS.ok) return;
    this.#failed = true;
    lua.lua_rawsetp(L, REGISTRY, this.#errorKey);
  }

  #raise(L: Pointer): never {
    const { lua } = this.#vm;
    this.#failed = false;
    lua.lua_rawgetp(L, REGISTRY, this.#errorKey);
    lua.lua_error(L);
    throw new Error('lua_error returned');
  }
}
