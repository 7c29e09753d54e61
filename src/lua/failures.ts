import { type Pointer, TYPE } from './api.js';
import { ERRNO, systemErrno } from './errno.js';
import type { Library } from './library.js';
import type { LuaVm } from './vm.js';
import { withFailureCheck } from './wasm.js';

/** What tells a failure as nil, a message and an error number. */
const TELLING: Readonly<Record<string, readonly string[]>> = {
  io: ['open', 'close', 'popen', 'tmpfile', 'read', 'write', 'flush'],
  os: ['remove', 'rename', 'execute'],
  'getmetatable(io.stdout).__index': ['close', 'read', 'write', 'seek', 'flush', 'setvbuf'],
};
/** Closing a process tells its end in the same way. */
const ENDS = ['exit', 'signal'];

/** Has scripts see the error numbers of this system, where the C library has its own. */
export function tellSystemErrors(vm: LuaVm, library: Library): void {
  const failed = (L: Pointer): void => correct(vm, L);
  for (const [table, names] of Object.entries(TELLING))
    for (const name of names) library.wrapInWasm(table, name, (original) => withFailureCheck(original, failed));
}

function correct(vm: LuaVm, L: Pointer): void {
  const { lua } = vm;
  if (lua.lua_type(L, -3) !== TYPE.nil || lua.lua_isinteger(L, -1) === 0 || ENDS.includes(vm.text(L, -2))) return;
  const number = Number(lua.lua_tointegerx(L, -1, 0));
  // None at all: read what is open for writing, or the reverse. The C library refuses that without a number.
  const told = systemErrno(number === 0 ? ERRNO.EBADF : number);
  lua.lua_settop(L, -2);
  if (number === 0) {
    lua.lua_settop(L, -2);
    vm.pushText(L, 'Bad file descriptor');
  }
  lua.lua_pushinteger(L, BigInt(told));
  vm.u32[lua.__errno_location() >> 2] = 0;
}
