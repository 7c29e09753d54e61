import type { Bytes } from '../util/bytes.js';
import type { Pointer } from './api.js';
import { pushNumber } from './decode-number.js';
import { type LuaVm, NotEnoughMemory } from './vm.js';

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
  /** One for each level of nesting. */
  readonly #readings: Reading[] = [];
  #nesting = 0;

  constructor(vm: LuaVm) {
    this.#vm = vm;
  }

  /** Pushes one value. Inside protected calls only. */
  push(L: Pointer, bytes: Bytes): void {
    // Straight from where it lies: nothing runs before it is pushed.
    const length = pushNumber(this.#vm, L, bytes, 0);
    if (length === 0) this.#pushCopied(L, bytes);
    else if (length > bytes.length) throw cutShort();
  }

  #pushCopied(L: Pointer, bytes: Bytes): void {
    this.#readings[this.#nesting] ??= new Reading(this.#vm);
    const reading = this.#readings[this.#nesting++]!;
    try {
      this.#vm.withCopy(bytes, (at) => reading.value(L, at, bytes.length));
    } finally {
      this.#nesting--;
    }
  }
}

/**
 * One value being pushed; a finalizer that runs meanwhile may start another. It is read from its copy in the VM's memory alone: what it was
 * copied from may change while Lua runs.
 */
class Reading {
  readonly #vm: LuaVm;
  #L: Pointer = 0;
  #at: Pointer = 0;
  #end: Pointer = 0;
  readonly #frames: Frame[] = [];
  /** How many of the frames are of tables under way. */
  #depth = 0;

  constructor(vm: LuaVm) {
    this.#vm = vm;
  }

  value(L: Pointer, start: Pointer, length: number): void {
    this.#L = L;
    this.#at = start;
    this.#end = start + length;
    this.#depth = 0;
    do {
      if (this.#item()) this.#attach();
    } while (this.#depth > 0);
  }

  /** Gives the value on top to the table that it belongs to, and that one to its own when it is complete. */
  #attach(): void {
    const { lua, small } = this.#vm;
    while (this.#depth > 0) {
      const frame = this.#frames[this.#depth - 1]!;
      if (frame.next > 0) small.setInteger(this.#L, -2, frame.next++);
      else if (frame.keyed) {
        lua.lua_rawset(this.#L, -3);
        frame.keyed = false;
      } else {
        frame.keyed = true;
        return;
      }
      if (--frame.left > 0) return;
      this.#depth--;
    }
  }

  /** Pushes the next scalar or empty table: true; or begins a table: false. */
  #item(): boolean {
    const { u8 } = this.#vm;
    const tag = u8[this.#at]!;
    // Most are: the keys of maps.
    if (tag >= 0xa0 && tag <= 0xbf) {
      this.#skip(1);
      this.#string(tag & 0x1f);
      return true;
    }
    const length = pushNumber(this.#vm, this.#L, u8, this.#at);
    this.#skip(Math.max(1, length));
    if (length > 0) return true;
    return tag <= 0x9f ? this.#table(tag & 0x0f, tag >= 0x90) : this.#tagged(tag);
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
    this.#frames[this.#depth] ??= { left: 0, next: 0, keyed: false };
    const frame = this.#frames[this.#depth++]!;
    frame.left = count;
    frame.next = array ? 1 : 0;
    frame.keyed = false;
    return false;
  }

  /** A length of 1, 2 or 4 bytes, by `width` 0, 1 or 2. */
  #unsigned(width: number): number {
    const { view } = this.#vm;
    const at = this.#skip(1 << width);
    return width === 0 ? view.getUint8(at) : width === 1 ? view.getUint16(at) : view.getUint32(at);
  }

  /** Where the next `length` bytes begin; they count as read. */
  #skip(length: number): Pointer {
    const at = this.#at;
    this.#at += length;
    if (this.#at > this.#end) throw cutShort();
    return at;
  }
}

const cutShort = (): Error => new Error('a stored value is cut short');
