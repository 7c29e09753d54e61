import type { ListRange, StatePort } from '../../channel/protocol.js';
import type { MachineLimits } from '../../channel/start.js';
import { type Bytes, utf8 } from '../../util/bytes.js';
import { type Pointer, TYPE } from '../api.js';
import { ValueDecoder } from '../decode.js';
import { EncodeError, ValueEncoder } from '../encode.js';
import type { HostFunction, LuaVm } from '../vm.js';
import { Arguments } from './arguments.js';
import { atomicFunctions } from './atomic.js';
import { namedCalls } from './calls.js';
import { pastFunctions } from './past.js';

const GLOBAL_SCOPE = utf8('global');

export interface StateOptions {
  port: StatePort;
  limits: MachineLimits;
  /** The operations beyond the basic ones: fields of `State` that the host answers. */
  calls: readonly string[];
  /** Where the host's events during such an operation go. */
  onEvent(listener: (event: Bytes) => void): void;
}

/** Sets the global `State`. Its functions are registered in a fixed order. */
export function installState(vm: LuaVm, L: Pointer, options: StateOptions): void {
  const state = new StateFunctions(vm, options);
  const { lua } = vm;
  lua.lua_createtable(L, 0, 48);
  const functions = { ...state.table(), ...atomicFunctions(vm, state), ...pastFunctions(vm, state) };
  for (const [name, fn] of Object.entries(functions)) setFunction(vm, L, name, fn);
  for (const [name, fn] of namedCalls(vm, state, options)) setFunction(vm, L, name, fn);
  lua.lua_setglobal(L, vm.cstring('State'));
}

function setFunction(vm: LuaVm, L: Pointer, names: string, fn: HostFunction): void {
  const index = vm.register(fn);
  for (const name of names.split(' ')) {
    vm.lua.lua_pushcclosure(L, index, 0);
    vm.lua.lua_setfield(L, -2, vm.cstring(name));
  }
}

/** Scope and key of a call, views into the VM's memory, and the index of the argument after them. */
export interface Place {
  scope: Bytes;
  key: Bytes;
  next: number;
}

/**
 * The basic functions of the `State` table, and what the others share. Between calls nothing of the script is held but the port, which is a
 * transaction while one is under way.
 */
export class StateFunctions {
  readonly #vm: LuaVm;
  readonly arguments: Arguments;
  readonly encoder: ValueEncoder;
  readonly decoder: ValueDecoder;
  port: StatePort;

  constructor(vm: LuaVm, { port, limits }: StateOptions) {
    this.#vm = vm;
    this.port = port;
    this.arguments = new Arguments(vm);
    this.encoder = new ValueEncoder(vm, limits);
    this.decoder = new ValueDecoder(vm);
  }

  /** By name; several names of one function are separated by blanks. */
  table(): Record<string, HostFunction> {
    return {
      'get load': (L) => this.get(L),
      'set save': (L) => this.#set(L, () => this.place(L, 3)),
      has: (L) => this.has(L),
      delete: (L) => this.#delete(L),
      'list list_keys': (L) => this.list(L),
      scopes: (L) => this.scopes(L),
      clear: (L) => this.#clear(L),
      flush: () => this.#flush(),
      increment: (L) => this.#increment(L),
      agent_get: (L) => this.#getAt(L, this.#owned(L, 'agent:')),
      agent_set: (L) => this.#set(L, () => this.#owned(L, 'agent:')),
      tool_get: (L) => this.#getAt(L, this.#owned(L, 'tool:')),
      tool_set: (L) => this.#set(L, () => this.#owned(L, 'tool:')),
      workflow_get: (L) => this.#getAt(L, this.#owned(L, 'workflow:')),
      workflow_set: (L) => this.#set(L, () => this.#owned(L, 'workflow:')),
      workflow_list: (L) => this.#listScope(L, this.#ownScope(L, 'workflow:'), 2),
    };
  }

  /** `(scope, key, …)` where at least `full` arguments came, else `(key, …)` in the global scope. */
  place(L: Pointer, full: number): Place {
    const args = this.arguments;
    if (args.count(L) >= full) return this.#pair(L, () => args.name(L, 1, 'scope'));
    return { scope: GLOBAL_SCOPE, key: args.name(L, 1, 'key'), next: 2 };
  }

  #ownScope(L: Pointer, prefix: string): Bytes {
    return Buffer.concat([Buffer.from(prefix), this.arguments.name(L, 1, 'id')]);
  }

  #owned(L: Pointer, prefix: string): Place {
    return this.#pair(L, () => this.#ownScope(L, prefix));
  }

  /** Scope, then the key at 2. A number becomes a string in place, which may move the memory: then the scope is taken again. */
  #pair(L: Pointer, takeScope: () => Bytes): Place {
    const scope = takeScope();
    const key = this.arguments.name(L, 2, 'key');
    return { scope: scope.length > 0 ? scope : takeScope(), key, next: 3 };
  }

  /** The reading functions, of the present or of a view of the past. */
  get(L: Pointer, view?: number): number {
    return this.#getAt(L, this.place(L, 2), view);
  }

  #getAt(L: Pointer, { scope, key, next }: Place, view?: number): number {
    const value = this.port.get(scope, key, view);
    if (value !== undefined) this.decoder.push(L, value);
    else this.#vm.lua.lua_settop(L, next);
    return 1;
  }

  #set(L: Pointer, place: () => Place): number {
    const { scope, key, next } = place();
    this.#vm.lua.luaL_checkany(L, next);
    if (this.arguments.absent(L, next)) {
      this.port.set(scope, key, null);
      return 0;
    }
    const value = this.encode(L, next);
    // A deep value makes Lua's stack grow, and with it perhaps the memory: then the views of the names are gone.
    const at = scope.length === 0 || key.length === 0 ? place() : { scope, key };
    this.port.set(at.scope, at.key, value);
    return 0;
  }

  has(L: Pointer, view?: number): number {
    const { scope, key } = this.place(L, 2);
    this.#vm.lua.lua_pushboolean(L, this.port.has(scope, key, view) ? 1 : 0);
    return 1;
  }

  #delete(L: Pointer): number {
    const { scope, key } = this.place(L, 2);
    this.#vm.lua.lua_pushboolean(L, this.port.delete(scope, key) ? 1 : 0);
    return 1;
  }

  list(L: Pointer, view?: number): number {
    const scope = this.arguments.absent(L, 1) ? GLOBAL_SCOPE : this.arguments.name(L, 1, 'scope');
    return this.#listScope(L, scope, 2, view);
  }

  #listScope(L: Pointer, scope: Bytes, optionsAt: number, view?: number): number {
    const args = this.arguments;
    const range: ListRange = {};
    args.options(L, optionsAt, {
      prefix: () => {
        range.prefix = args.optionText(L, optionsAt, 'prefix');
      },
      after: () => {
        range.after = args.optionText(L, optionsAt, 'after');
      },
      limit: () => {
        range.limit = args.optionCount(L, optionsAt, 'limit');
      },
    });
    return this.#pushNames(L, range.limit === 0 ? [] : this.port.list(scope, range, view));
  }

  scopes(L: Pointer, view?: number): number {
    return this.#pushNames(L, this.port.scopes(view));
  }

  #pushNames(L: Pointer, names: readonly Bytes[]): number {
    this.#vm.lua.lua_createtable(L, names.length, 0);
    names.forEach((name, i) => {
      this.#vm.pushBytes(L, name);
      this.#vm.lua.lua_rawseti(L, -2, BigInt(i + 1));
    });
    return 1;
  }

  #clear(L: Pointer): number {
    this.#vm.lua.lua_pushinteger(L, BigInt(this.port.clear(this.arguments.name(L, 1, 'scope'))));
    return 1;
  }

  #flush(): number {
    this.port.flush();
    return 0;
  }

  #increment(L: Pointer): number {
    const { lua } = this.#vm;
    const { scope, key, next } = this.place(L, 2);
    if (this.arguments.absent(L, next)) {
      lua.lua_settop(L, next - 1);
      lua.lua_pushinteger(L, 1n);
    }
    lua.luaL_checktype(L, next, TYPE.number);
    this.decoder.push(L, this.port.increment(scope, key, this.encode(L, next)));
    return 1;
  }

  /** The argument's bytes; raises at the caller, naming the path, where it cannot be stored. */
  encode(L: Pointer, index: number): Bytes {
    try {
      return this.encoder.encode(L, index);
    } catch (error) {
      if (error instanceof EncodeError) this.arguments.refuse(L, index, error.message);
      throw error;
    }
  }
}
