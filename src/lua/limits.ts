import type { MachineLimits } from '../channel/start.js';
import { LlmspellError } from '../errors.js';
import { TYPE } from './api.js';
import { Library } from './library.js';
import { type HostFunction, LimitReached, type LuaVm } from './vm.js';

/** How often the hook looks. Each coroutine counts for itself from its start, so a larger step would let many short ones run uncounted. */
const STEP = 100;

/**
 * Sets the limits that are kept inside the machine. (The time limit is kept outside: the host ends the thread.) Beyond the memory limit, whatever
 * asks for more gets Lua's own `not enough memory`; beyond the instruction limit the script is ended at once, whatever it catches.
 */
export function installLimits(vm: LuaVm, { memoryBytes, maxInstructions }: MachineLimits): void {
  if (memoryBytes > 0) vm.maxMemoryBytes = Math.min(vm.maxMemoryBytes, memoryBytes);
  if (maxInstructions > 0) countInstructions(vm, maxInstructions);
}

/** How much a script may still print, to both its streams together. */
export class OutputBudget {
  readonly #limit: number;
  #printed = 0;

  /** @param limit bytes; 0: no limit */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Ends the script where it has printed too much; what would go beyond the limit is not printed. */
  spend(bytes: number): void {
    this.#printed += bytes;
    if (this.#limit > 0 && this.#printed > this.#limit)
      throw new LimitReached(new LlmspellError('SCRIPT_OUTPUT', `The script printed more than ${this.#limit} bytes.`));
  }
}

// A count hook makes Lua two to three times slower, whatever its step; without a limit there is none.
function countInstructions(vm: LuaVm, limit: number): void {
  const step = Math.min(STEP, limit);
  let left = limit;
  vm.setCountHook(step, () => {
    left -= step;
    if (left > 0) return;
    // Not a Lua error: those a script can catch, and go on.
    throw new LimitReached(new LlmspellError('SCRIPT_INSTRUCTIONS', `The script ran more than ${limit} instructions.`));
  });
  vm.setUp((L) => {
    const library = new Library(vm, L);
    library.wrap('_G', 'setmetatable', withoutFinalizers(vm));
    library.run('if debug then debug.sethook, debug.setmetatable = nil, nil end');
  });
}

/** Lua runs no hooks inside finalizers: what they do would not be counted. A table gets its finalizer when its metatable is set, and only then. */
const withoutFinalizers =
  (vm: LuaVm) =>
  (setmetatable: HostFunction): HostFunction =>
  (L) => {
    const { lua } = vm;
    if (lua.lua_type(L, 2) === TYPE.table) {
      vm.pushText(L, '__gc');
      if (lua.lua_rawget(L, 2) !== TYPE.nil)
        return lua.luaL_argerror(L, 2, vm.cstring('there are no finalizers under an instruction limit'));
      lua.lua_settop(L, -2);
    }
    return setmetatable(L);
  };
