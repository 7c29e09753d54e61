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
    const tag = bytes[0]!;
    if (bytes.length === 1 && (tag <= 0x7f || tag >= 0xe0)) this.#vm.lua.lua_pushinteger(L, big((tag << 24) >> 24));
    else this.#vm.withCopy(bytes, (at) => new Reading(this.#vm, L, at, bytes.length).value());
  }
}

/** For numbers of 8 bytes: a view of each value's own bytes would cost more than all the rest. */
const wide = new DataView(new ArrayBuffer(8));

/**
 * One value being pushed; a finalizer that runs meanwhile may start another. It is read from its copy in the VM's memory alone: what it was
 * copied from may change while Lua runs.
 */
class Reading {
  readonly #vm: LuaVm;
  readonly #L: Pointer;
  #at: Pointer;
  readonly #end: Pointer;
  readonly #frames: Frame[] = [];

  constructor(vm: LuaVm, L: Pointer, start: Pointer, length: number) {
    this.#vm = vm;
    this.#L = L;
    this.#at = start;
    this.#end = start + length;
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
    const tag = this.#vm.u8[this.#skip(1)]!;
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
    switch (tag) {
      case 0xc0:
        lua.lua_pushnil(L);
        return true;
      case 0xc2:
      case 0xc3:
        lua.lua_pushboolean(L, tag & 1);
        return true;
      case 0xca:
        lua.lua_pushnumber(L, this.#wide(4).getFloat32(0));
        return true;
      case 0xcb:
        lua.lua_pushnumber(L, this.#wide(8).getFloat64(0));
        return true;
      case 0xd3:
        lua.lua_pushinteger(L, this.#wide(8).getBigInt64(0));
        return true;
      case 0xcf:
        lua.lua_pushinteger(L, this.#wide(8).getBigUint64(0));
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
    this.#vm.lua.lua_pushlstring(this.#L, this.#skip(length), length);
  }

  #table(count: number, array: boolean): boolean {
    const { lua } = this.#vm;
    if (lua.lua_checkstack(this.#L, 8) === 0) throw new NotEnoughMemory();
    // The count is only as good as the bytes: each element takes at least one.
    const expected = Math.min(count, this.#end - this.#at);
    lua.lua_createtable(this.#L, array ? expected : 0, array ? 0 : expected);
    if (count === 0) return true;
    this.#frames.push({ left: count, next: array ? 1 : 0, keyed: false });
    return false;
  }

  /** A number of 1, 2 or 4 bytes, by `width` 0, 1 or 2. */
  #unsigned(width: number): number {
    const { u8 } = this.#vm;
    const length = 1 << width;
    const at = this.#skip(length);
    let n = 0;
    for (let i = at; i < at + length; i++) n = n * 256 + u8[i]!;
    return n;
  }

  #signed(width: number): number {
    const unused = 32 - (8 << width);
    return (this.#unsigned(width) << unused) >> unused;
  }

  /** The next `length` bytes, at the start of a view. */
  #wide(length: number): DataView {
    const { u8 } = this.#vm;
    const at = this.#skip(length);
    for (let i = 0; i < length; i++) wide.setUint8(i, u8[at + i]!);
    return wide;
  }

  /** Where the next `length` bytes begin; they count as read. */
  #skip(length: number): Pointer {
    const at = this.#at;
    this.#at += length;
    if (this.#at > this.#end) throw new Error('a stored value is cut short');
    return at;
  }
}
