import { type Pointer, TYPE } from './api.js';
import type { Library } from './library.js';
import type { HostFunction, LuaVm } from './vm.js';

/** `lua_Debug` is smaller than this; its field `what` lies at this offset. */
const ACTIVATION_BYTES = 256;
const WHAT_OFFSET = 12;

/**
 * Takes from `debug` what reaches below Lua. C functions keep userdata, buffers and originals of guarded functions in their upvalues and
 * stack slots and use them without looking again, so those are out of reach: of C functions, nothing is shown or changed.
 */
export function guardDebug(vm: LuaVm, library: Library): void {
  const { lua } = vm;
  const ofCFunction = (L: Pointer): boolean => lua.lua_iscfunction(L, 1) === 1;
  const nothing =
    (hidden: (L: Pointer) => boolean) =>
    (original: HostFunction): HostFunction =>
    (L) =>
      hidden(L) ? 0 : original(L);

  library.wrap('debug', 'getupvalue', nothing(ofCFunction));
  library.wrap('debug', 'setupvalue', nothing(ofCFunction));
  const activation = lua.malloc(ACTIVATION_BYTES);
  library.wrap(
    'debug',
    'getlocal',
    nothing((L) => isCLevel(vm, L, activation)),
  );
  library.wrap(
    'debug',
    'setlocal',
    nothing((L) => isCLevel(vm, L, activation)),
  );
  // A file's metatable on another userdata would make the library take any memory for a file.
  library.wrap('debug', 'setmetatable', (original) => (L) => {
    const type = lua.lua_type(L, 1);
    const raw = type === TYPE.userdata || type === TYPE.lightUserdata;
    return raw ? lua.luaL_argerror(L, 1, vm.cstring('cannot change the metatable of a userdata')) : original(L);
  });
  // The registry holds what the libraries and the host rely on.
  library.set('debug', 'getregistry', null);
  // Reads code from stdin, also binary.
  library.set('debug', 'debug', null);
}

/** Whether `debug.getlocal([thread,] level, …)` asks about a C function; the level counts from the calling function, which is this one. */
function isCLevel(vm: LuaVm, L: Pointer, activation: Pointer): boolean {
  const { lua } = vm;
  const inThread = lua.lua_type(L, 1) === TYPE.thread;
  const thread = inThread ? lua.lua_tothread(L, 1) : L;
  // Read exactly as the library reads it: a string of digits is a level too, and of a large number the lower 32 bits are.
  const level = lua.lua_tointegerx(L, inThread ? 2 : 1, vm.scratch);
  if (vm.u32[vm.scratch >> 2] === 0) return false;
  if (lua.lua_getstack(thread, Number(BigInt.asIntN(32, level)), activation) === 0) return false;
  lua.lua_getinfo(thread, vm.cstring('S'), activation);
  return vm.u8[vm.u32[(activation + WHAT_OFFSET) >> 2]!] === 'C'.charCodeAt(0);
}
