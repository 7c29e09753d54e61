import { type Pointer, TYPE } from './api.js';
import { descriptorOf, fileOfHandle } from './c-file.js';
import { errnoNumber } from './errno.js';
import type { HostFs } from './hostfs.js';
import type { Library } from './library.js';
import type { LuaVm } from './vm.js';

const WHENCE = ['set', 'cur', 'end'];
const CURRENT = 1;
/** The C library says that its own stdout has gone wherever it was told to. */
const STDOUT = 1;
/** What the C library's `long` holds. */
const FARTHEST = 2n ** 31n - 1n;

/** Lets `file:seek` go as far as files do, and no further: the stock one stops where the machine's `long` does, at 2 GiB, and claims to move stdout. */
export function seekFar(vm: LuaVm, library: Library, fs: HostFs): void {
  const { lua } = vm;
  const type = vm.cstring('FILE*');
  library.wrap('getmetatable(io.stdout).__index', 'seek', (stock) => (L) => {
    const target = farTarget(vm, L);
    if (target !== undefined) lua.lua_settop(L, 1);
    // Also where it goes nowhere, it writes out what is pending and forgets what was read ahead.
    const results = stock(L);
    const handle = lua.luaL_testudata(L, 1, type);
    const outOfReach = lua.lua_tonumberx(L, -1, 0) === -1;
    if (results > 1) return results;
    const descriptor = descriptorOf(vm, fileOfHandle(vm, handle));
    if (target === undefined && !outOfReach && descriptor !== STDOUT) return results;
    return seek(vm, L, fs, descriptor, target ?? { offset: 0, whence: CURRENT });
  });
}

interface Target {
  offset: number;
  whence: number;
}

/** Where the arguments lead to, where that is too far for the stock function and otherwise correct. */
function farTarget(vm: LuaVm, L: Pointer): Target | undefined {
  const { lua } = vm;
  if (lua.lua_isinteger(L, 3) === 0 || lua.lua_type(L, 2) !== TYPE.string) return undefined;
  const offset = lua.lua_tointegerx(L, 3, 0);
  const whence = WHENCE.indexOf(vm.text(L, 2));
  const far = offset > FARTHEST || offset < -FARTHEST;
  return far && whence >= 0 ? { offset: Number(offset), whence } : undefined;
}

function seek(vm: LuaVm, L: Pointer, fs: HostFs, descriptor: number, { offset, whence }: Target): number {
  const { lua } = vm;
  try {
    lua.lua_pushinteger(L, BigInt(fs.seek(descriptor, offset, whence)));
    return 1;
  } catch (error) {
    vm.u32[lua.__errno_location() >> 2] = errnoNumber(error);
    return lua.luaL_fileresult(L, 0, 0);
  }
}
