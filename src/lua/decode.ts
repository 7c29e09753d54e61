import type { Bytes } from '../util/bytes.js';
import type { Pointer } from './api.js';
import { type LuaVm, NotEnoughMemory } from './vm.js';

/** BigInts for the integers that occur most: making one costs more than passing it. */
const FIRST = -128;
const COMMON: readonly bigint[] = Array.from({ length: 2048 }, (_, i) => BigInt(i + FIRST));
const big = (n: number): bigint => COMMON[n - FIRST] ?? BigInt(n);

/** A table under way. */
interface Frame {
  /** Elements (or pairs) still to come. */
  left: number;
  /** The number of the next array element; 0 for a map. */
  next: number;
  /** Of a map: its key is on the stack, its value comes next. */
  keyed: boolean;
}

/**
 * Pushes MessagePack values onto the Lua stack, the reverse of `ValueEncoder`. Iterative; strings go straight from one copy in the VM's memory
 * into Lua. It takes any MessagePack without extension types.
 */
export class ValueDecoder {
  readonly #vm: LuaVm;

  constructor(vm: LuaVm) {
    this.#vm = vm;
  }

  /** Pushes one value. Inside protected calls only. */
  push(L: Pointer, bytes: Bytes): void {
    this.#vm.withCopy(bytes, (at) => new Reading(this.#vm, L, bytes, at).value());
  }
}

/** One value being pushed; a finalizer that runs meanwhile may start another. */
class Reading {
  readonly #vm: LuaVm;
  readonly #L: Pointer;
  readonly #bytes: Bytes;
  readonly #view: DataView;
  /** Where the copy of the bytes stands in the VM's memory. */
  readonly #copy: Pointer;
  #at = 0;
  readonly #frames: Frame[] = [];

  constructor(vm: LuaVm, L: Pointer, bytes: Bytes, copy: Pointer) {
    this.#vm = vm;
    this.#L = L;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#copy = copy;
  }

  value(): void {
    do {
      if (this.#item()) this.#attach();
    } while (this.#frames.length > 0);
  }

  /** Gives the value on top to the table that it belongs to, and that one to its own when it is complete. */
  #attach(): void {
    const { lua } = this.#vm;
    for (let frame = this.#frames.at(-1); frame !== undefined; frame = this.#frames.at(-1)) {
      if (frame.next > 0) lua.lua_rawseti(this.#L, -2, big(frame.next++));
      else if (frame.keyed) {
        lua.lua_rawset(this.#L, -3);
        frame.keyed = false;
      } else {
        frame.keyed = true;
        return;
      }
      if (--frame.left > 0) return;
      this.#frames.pop();
    }
  }

  /** Pushes the next scalar or empty table: true; or begins a table: false. */
  #item(): boolean {
    const { lua } = this.#vm;
    const L = this.#L;
    const tag = this.#bytes[this.#at++];
    if (tag === undefined) throw new Error('a stored value is cut short');
    if (tag <= 0x7f) lua.lua_pushinteger(L, big(tag));
    else if (tag >= 0xe0) lua.lua_pushinteger(L, big(tag - 0x100));
    else if (tag <= 0x8f) return this.#table(tag & 0x0f, false);
    else if (tag <= 0x9f) return this.#table(tag & 0x0f, true);
    else if (tag <= 0xbf) this.#string(tag & 0x1f);
    else return this.#tagged(tag);
    return true;
  }

  #tagged(tag: number): boolean {
    const { lua } = this.#vm;
    const L = this.#L;
    const view = this.#view;
    switch (tag) {
      case 0xc0:
        lua.lua_pushnil(L);
        return true;
      case 0xc2:
      case 0xc3:
        lua.lua_pushboolean(L, tag & 1);
        return true;
      case 0xca:
        lua.lua_pushnumber(L, view.getFloat32(this.#skip(4)));
        return true;
      case 0xcb:
        lua.lua_pushnumber(L, view.getFloat64(this.#skip(8)));
        return true;
      case 0xd3:
        lua.lua_pushinteger(L, view.getBigInt64(this.#skip(8)));
        return true;
      case 0xcf:
        lua.lua_pushinteger(L, view.getBigUint64(this.#skip(8)));
        return true;
      case 0xd0:
      case 0xd1:
      case 0xd2:
        lua.lua_pushinteger(L, big(this.#signed(tag - 0xd0)));
        return true;
      case 0xcc:
      case 0xcd:
      case 0xce:
        lua.lua_pushinteger(L, big(this.#unsigned(tag - 0xcc)));
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        this.#string(this.#unsigned(tag - 0xc4));
        return true;
      case 0xd9:
      case 0xda:
      case 0xdb:
        this.#string(this.#unsigned(tag - 0xd9));
        return true;
      case 0xdc:
      case 0xdd:
        return this.#table(this.#unsigned(tag - 0xdb), true);
      case 0xde:
      case 0xdf:
        return this.#table(this.#unsigned(tag - 0xdd), false);
      default:
        throw new Error(`a stored value has an unknown part (0x${tag.toString(16)})`);
    }
  }

  #string(length: number): void {
    const at = this.#skip(length);
    this.#vm.lua.lua_pushlstring(this.#L, this.#copy + at, length);
  }

  #table(count: number, array: boolean): boolean {
    const { lua } = this.#vm;
    if (lua.lua_checkstack(this.#L, 8) === 0) throw new NotEnoughMemory();
    // The count is only as good as the bytes: each element takes at least one.
    const expected = Math.min(count, this.#bytes.length - this.#at);
    lua.lua_createtable(this.#L, array ? expected : 0, array ? 0 : expected);
    if (count === 0) return true;
    this.#frames.push({ left: count, next: array ? 1 : 0, keyed: false });
    return false;
  }

  /** A number of 1, 2 or 4 bytes, by `width` 0, 1 or 2. */
  #unsigned(width: number): number {
    const at = this.#skip(1 << width);
    if (width === 0) return this.#view.getUint8(at);
    return width === 1 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #signed(width: number): number {
    const at = this.#skip(1 << width);
    if (width === 0) return this.#view.getInt8(at);
    return width === 1 ? this.#view.getInt16(at) : this.#view.getInt32(at);
  }

  /** Where the next `length` bytes begin; they count as read. */
  #skip(length: number): number {
    const at = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new Error('a stored value is cut short');
    return at;
  }
}
