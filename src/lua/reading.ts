import { type Pointer, REGISTRY, TYPE, upvalue } from './api.js';
import {
  type CFile,
  descriptorOf,
  fileOfHandle,
  findLineEnd,
  readPosition,
  setReadPosition,
  unreadBytes,
} from './c-file.js';
import type { HostFs } from './hostfs.js';
import type { Library } from './library.js';
import type { HostFunction, LuaVm } from './vm.js';

/** How many upvalues the stock iterator has when it reads plain lines: the file, the number of formats, whether to close it. */
const PLAIN_UPVALUES = 3;
const STAR = 0x2a;
const LETTER_A = 0x61;
const LETTER_L = 0x6c;
const LETTER_CAPITAL_L = 0x4c;
/** Shorter files are read as fast by the stock function. */
const LONG_BYTES = 4096;
const METHODS = 'getmetatable(io.stdout).__index';

/**
 * Makes reading several times as fast. The stock functions take each byte of a line by a function call, which is cheap natively and not here, and a
 * whole file in steps of 512 bytes. These look for the line, or the bytes, in the C library's buffer, and ask for as many bytes as a file
 * has; for all that is not as simple (the buffer's end, other formats, errors, closed files) they call the stock ones, in their own frame.
 */
export function quickenReading(vm: LuaVm, library: Library, fs: HostFs): void {
  const { lua } = vm;
  quickenLines(vm, library);
  library.wrap(METHODS, 'read', (stock) => {
    const type = vm.cstring('FILE*');
    return new QuickRead(vm, fs, stock, 1, (L) => lua.luaL_testudata(L, 1, type)).read;
  });
  library.wrap('io', 'read', (stock) => {
    const input = vm.cstring('_IO_input');
    return new QuickRead(vm, fs, stock, 0, (L) => {
      lua.lua_getfield(L, REGISTRY, input);
      const handle = lua.lua_touserdata(L, -1);
      lua.lua_settop(L, -2);
      return handle;
    }).read;
  });
}

function quickenLines(vm: LuaVm, library: Library): void {
  const stock = library.original('io.stdin:lines()');
  const index = vm.register((L) => {
    const file = fileOfHandle(vm, vm.lua.lua_touserdata(L, upvalue(1)));
    return file !== 0 && takeLine(vm, L, file, 0) ? 1 : stock(L);
  });
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
  library.wrap(METHODS, 'lines', quicken);
}

/** `io.read` or `file:read`. */
class QuickRead {
  readonly #vm: LuaVm;
  readonly #fs: HostFs;
  readonly #stock: HostFunction;
  readonly #stockIndex: number;
  readonly #before: number;
  readonly #handleOf: (L: Pointer) => Pointer;

  /**
   * @param before how many arguments come before the formats
   * @param handleOf the file's handle; 0 where there is none
   */
  constructor(vm: LuaVm, fs: HostFs, stock: HostFunction, before: number, handleOf: (L: Pointer) => Pointer) {
    this.#vm = vm;
    this.#fs = fs;
    this.#stock = stock;
    this.#stockIndex = vm.register(stock);
    this.#before = before;
    this.#handleOf = handleOf;
  }

  readonly read: HostFunction = (L) => {
    const formats = this.#vm.lua.lua_gettop(L) - this.#before;
    if (formats > 1) return this.#stock(L);
    const handle = this.#handleOf(L);
    const file = handle === 0 ? 0 : fileOfHandle(this.#vm, handle);
    if (file === 0) return this.#stock(L);
    if (formats <= 0) return takeLine(this.#vm, L, file, 0) ? 1 : this.#stock(L);
    return this.#readFormat(L, file);
  };

  #readFormat(L: Pointer, file: CFile): number {
    const { lua, u8 } = this.#vm;
    const at = this.#before + 1;
    const type = lua.lua_type(L, at);
    if (type === TYPE.number) return takeBytes(this.#vm, L, file, lua.lua_tonumberx(L, at, 0)) ? 1 : this.#stock(L);
    if (type !== TYPE.string) return this.#stock(L);
    const text = lua.lua_tolstring(L, at, 0);
    const letter = u8[text] === STAR ? u8[text + 1] : u8[text];
    if (letter === LETTER_A) return this.#readAll(L, file);
    const isLine = letter === LETTER_L || letter === LETTER_CAPITAL_L;
    return isLine && takeLine(this.#vm, L, file, letter === LETTER_L ? 0 : 1) ? 1 : this.#stock(L);
  }

  /** Asks for as many bytes as there should be: those come at once to where the string is made. Then for the rest, which is seldom any. */
  #readAll(L: Pointer, file: CFile): number {
    const { lua } = this.#vm;
    const expected = unreadBytes(this.#vm, file) + this.#fs.remainingBytes(descriptorOf(this.#vm, file));
    if (expected < LONG_BYTES) return this.#stock(L);
    lua.lua_settop(L, this.#before);
    lua.lua_pushinteger(L, BigInt(expected));
    const results = this.#stock(L);
    if (results > 1) return results;
    // Shorter than it was: at its end.
    if (lua.lua_type(L, -1) !== TYPE.string) this.#vm.pushText(L, '');
    lua.lua_pushcclosure(L, this.#stockIndex, 0);
    for (let i = 1; i <= this.#before; i++) lua.lua_pushvalue(L, i);
    this.#vm.pushText(L, 'a');
    lua.lua_callk(L, this.#before + 1, 1, 0, 0);
    if (lua.lua_type(L, -1) === TYPE.string) lua.lua_concat(L, 2);
    return 1;
  }
}

/**
 * Pushes the next line, where all of it is read ahead.
 *
 * @param more how many bytes of the line's end belong to it
 */
function takeLine(vm: LuaVm, L: Pointer, file: CFile, more: 0 | 1): boolean {
  const start = readPosition(vm, file);
  const end = findLineEnd(vm, file);
  if (end < 0) return false;
  // Before a string is made: that may run finalizers, and those may close the file.
  setReadPosition(vm, file, end + 1);
  vm.lua.lua_pushlstring(L, start, end - start + more);
  return true;
}

/** Pushes the next bytes, where all of them are read ahead. */
function takeBytes(vm: LuaVm, L: Pointer, file: CFile, count: number): boolean {
  if (!Number.isInteger(count) || count <= 0 || count > unreadBytes(vm, file)) return false;
  const start = readPosition(vm, file);
  setReadPosition(vm, file, start + count);
  vm.lua.lua_pushlstring(L, start, count);
  return true;
}
