import { type Pointer, upvalue } from './api.js';
import type { Library } from './library.js';
import type { HostFunction, LuaVm } from './vm.js';

const LF = 0x0a;
/** How many upvalues the stock iterator has when it reads plain lines: the file, the number of formats, whether to close it. */
const PLAIN_UPVALUES = 3;

/**
 * Makes `io.lines` and `file:lines` three times as fast. The stock iterator takes each byte by a function call, which is cheap natively and not
 * here. This one looks for the line in the C library's buffer, and calls the stock one, in its own frame and with the same upvalues, for all that
 * is not as simple: the buffer's end, formats, errors, closed files.
 */
export function quickenLines(vm: LuaVm, library: Library): void {
  const stock = library.original('io.stdin:lines()');
  const index = vm.register((L) => (takeLine(vm, L) ? 1 : stock(L)));
  const quicken =
    (lines: HostFunction): HostFunction =>
    (L) => {
      const { lua } = vm;
      const results = lines(L);
      const iterator = lua.lua_gettop(L) - results + 1;
      if (lua.lua_getupvalue(L, iterator, PLAIN_UPVALUES + 1) !== 0) {
        lua.lua_settop(L, -2);
        return results;
      }
      for (let i = 1; i <= PLAIN_UPVALUES; i++) lua.lua_getupvalue(L, iterator, i);
      lua.lua_pushcclosure(L, index, PLAIN_UPVALUES);
      lua.lua_copy(L, -1, iterator);
      lua.lua_settop(L, -2);
      return results;
    };
  library.wrap('io', 'lines', quicken);
  library.wrap('getmetatable(io.stdout).__index', 'lines', quicken);
}

/** Pushes the next line where all of it lies in the buffer: `luaL_Stream` is `{FILE *f; lua_CFunction closef}`, and musl's `FILE` begins `{flags, rpos, rend}`. */
function takeLine(vm: LuaVm, L: Pointer): boolean {
  const { lua, u8, u32 } = vm;
  const stream = lua.lua_touserdata(L, upvalue(1)) >> 2;
  if (u32[stream + 1] === 0) return false;
  const file = u32[stream]! >> 2;
  const start = u32[file + 1]!;
  const end = u32[file + 2]!;
  let at = start;
  while (at < end && u8[at] !== LF) at++;
  if (at >= end) return false;
  lua.lua_pushlstring(L, start, at - start);
  vm.u32[file + 1] = at + 1;
  return true;
}
