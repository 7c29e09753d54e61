import { isUtf8 } from 'node:buffer';
import { type Pointer, TYPE, typeName } from './api.js';
import type { LuaVm } from './vm.js';

/** Why a value cannot be stored, with the path to the place inside it: `value.settings.cb: cannot store a function`. */
export class EncodeError extends Error {}

/** How the keys of the table under way have come so far. */
const ARRAY = 0; // 1, 2, 3, … in this order
const MAP = 1;
const SCATTERED = 2; // exactly 1…n, but in another order: fetched by number

interface Frame {
  kind: number;
  /** Where its header stands; one byte is reserved for it. */
  start: number;
  count: number;
  /** Where its first element's offset stands in the list of offsets. */
  firstOffset: number;
  /** SCATTERED only: how many elements there are. */
  length: number;
}

const INITIAL_BYTES = 4096;
/** More than a header, a key that is no string and a scalar take together. */
const SLACK = 32;

/**
 * Writes Lua values as MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) straight from the Lua stack, exactly:
 * integers as integers (64 bits), floats always as float 64, strings as `str` where they are UTF-8 and as `bin` where not, tables
 * with exactly the keys 1…n (n ≥ 1) as arrays, all others as maps with whatever keys they have. Metatables are not asked.
 * Iterative: only the depth limit bounds nesting. One pass, because a second look at each key would cost as much as the first.
 */
export class ValueEncoder {
  readonly #vm: LuaVm;
  readonly #maxBytes: number;
  readonly #maxDepth: number;
  #out = new Uint8Array(INITIAL_BYTES);
  #view = new DataView(this.#out.buffer);
  #at = 0;
  readonly #frames: Frame[] = [];
  #depth = 0;
  /** Where each element of each array under way begins: a table that turns out to be a map gets its keys inserted there. */
  readonly #offsets: number[] = [];
  #offsetCount = 0;

  constructor(vm: LuaVm, limits: { maxValueBytes: number; maxValueDepth: number }) {
    this.#vm = vm;
    this.#maxBytes = limits.maxValueBytes;
    this.#maxDepth = limits.maxValueDepth;
  }

  /**
   * The value at `index` (not a pseudo-index, absolute) as bytes in a buffer that the next call overwrites. Leaves the stack as it was.
   *
   * @param name what paths in messages begin with
   * @throws EncodeError with the stack as it then is
   */
  encode(L: Pointer, index: number, name = 'value'): Uint8Array {
    this.#at = 0;
    this.#depth = 0;
    this.#offsetCount = 0;
    const base = this.#vm.lua.lua_gettop(L);
    try {
      this.#value(L, index);
    } catch (error) {
      if (error instanceof Refusal)
        throw new EncodeError(`${name}${this.#path(L, base, error.depth)}: ${error.message}`);
      throw error;
    }
    return this.#out.subarray(0, this.#at);
  }

  #value(L: Pointer, index: number): void {
    const { lua } = this.#vm;
    const type = lua.lua_type(L, index);
    if (type !== TYPE.table) {
      this.#scalar(L, index, type);
      this.#checkSize();
      return;
    }
    lua.lua_checkstack(L, 4);
    lua.lua_pushvalue(L, index);
    this.#open(L);
    while (this.#depth > 0) this.#step(L);
    this.#checkSize();
  }

  /** Stack: … table, key. Writes the next pair, or ends the table. */
  #step(L: Pointer): void {
    const { lua } = this.#vm;
    const frame = this.#frames[this.#depth - 1]!;
    if (!this.#next(L, frame)) {
      this.#close(L, frame);
      return;
    }
    if (frame.kind === ARRAY && !this.#isNext(L, frame)) this.#reconsider(L, frame);
    this.#reserve(SLACK);
    if (frame.kind === MAP) this.#key(L);
    else this.#offsets[this.#offsetCount++] = this.#at;
    frame.count++;
    const type = lua.lua_type(L, -1);
    if (type === TYPE.table) this.#open(L);
    else {
      this.#scalar(L, -1, type);
      lua.lua_settop(L, -2);
    }
  }

  #next(L: Pointer, frame: Frame): boolean {
    const { lua } = this.#vm;
    if (frame.kind !== SCATTERED) return lua.lua_next(L, -2) !== 0;
    if (frame.count === frame.length) {
      lua.lua_settop(L, -2);
      return false;
    }
    lua.lua_rawgeti(L, -2, BigInt(frame.count + 1));
    return true;
  }

  #isNext(L: Pointer, frame: Frame): boolean {
    const { lua } = this.#vm;
    return lua.lua_isinteger(L, -2) !== 0 && lua.lua_tonumberx(L, -2, 0) === frame.count + 1;
  }

  /** Stack: … table. Begins it: pushes the nil that `lua_next` starts from. */
  #open(L: Pointer): void {
    const { lua } = this.#vm;
    if (this.#depth >= this.#maxDepth) throw this.#tooDeep(L);
    if (lua.lua_checkstack(L, 8) === 0) throw new Refusal('the table is nested too deeply', this.#depth);
    this.#reserve(SLACK);
    this.#frames[this.#depth] ??= { kind: ARRAY, start: 0, count: 0, firstOffset: 0, length: 0 };
    const frame = this.#frames[this.#depth++]!;
    frame.kind = ARRAY;
    frame.start = this.#at++;
    frame.count = 0;
    frame.firstOffset = this.#offsetCount;
    lua.lua_pushnil(L);
  }

  /** Stack: … table. Writes its header and takes it away. */
  #close(L: Pointer, frame: Frame): void {
    this.#header(frame);
    this.#offsetCount = frame.firstOffset;
    this.#depth--;
    this.#vm.lua.lua_settop(L, -2);
  }

  #header({ kind, start, count }: Frame): void {
    const map = kind === MAP || count === 0;
    if (count <= 15) {
      this.#out[start] = (map ? 0x80 : 0x90) | count;
      return;
    }
    const wide = count > 0xffff;
    const more = wide ? 4 : 2;
    this.#reserve(more);
    this.#out.copyWithin(start + 1 + more, start + 1, this.#at);
    this.#at += more;
    this.#out[start] = (map ? 0xde : 0xdc) + (wide ? 1 : 0);
    if (wide) this.#view.setUint32(start + 1, count);
    else this.#view.setUint16(start + 1, count);
  }

  // The keys came as 1…count, and now another one. Either the rest of 1…n comes in another order (an array that was filled from behind), or the
  // table is a map.
  #reconsider(L: Pointer, frame: Frame): void {
    const { lua } = this.#vm;
    if (lua.lua_isinteger(L, -2) !== 0) {
      const length = Number(lua.lua_rawlen(L, -3));
      if (this.#hasExactly(L, frame.count, length)) {
        frame.kind = SCATTERED;
        frame.length = length;
        lua.lua_settop(L, -2);
        lua.lua_rawgeti(L, -2, BigInt(frame.count + 1));
        return;
      }
    }
    this.#toMap(frame);
  }

  /** Stack: … table, key, value; the keys 1…seen came before this one. Whether the keys are 1…length, all of them. */
  #hasExactly(L: Pointer, seen: number, length: number): boolean {
    return seen + this.#countKeys(L, length - seen) === length && this.#hasAll(L, seen + 1, length);
  }

  /** How many keys there are from the present one on; stops counting above `most`. */
  #countKeys(L: Pointer, most: number): number {
    const { lua } = this.#vm;
    let keys = 1;
    lua.lua_pushvalue(L, -2);
    while (lua.lua_next(L, -4) !== 0) {
      lua.lua_settop(L, -2);
      if (++keys > most) {
        lua.lua_settop(L, -2);
        break;
      }
    }
    return keys;
  }

  #hasAll(L: Pointer, first: number, last: number): boolean {
    const { lua } = this.#vm;
    for (let i = first; i <= last; i++) {
      const type = lua.lua_rawgeti(L, -3, BigInt(i));
      lua.lua_settop(L, -2);
      if (type === TYPE.nil) return false;
    }
    return true;
  }

  /** Puts the keys 1…count before the elements that are written already. */
  #toMap(frame: Frame): void {
    frame.kind = MAP;
    if (frame.count === 0) return;
    const from = this.#offsets[frame.firstOffset]!;
    const written = this.#out.slice(from, this.#at);
    const end = this.#at;
    this.#at = from;
    for (let i = 0; i < frame.count; i++) {
      const start = this.#offsets[frame.firstOffset + i]!;
      const stop = i + 1 < frame.count ? this.#offsets[frame.firstOffset + i + 1]! : end;
      this.#reserve(SLACK + stop - start);
      this.#integer(i + 1);
      this.#out.set(written.subarray(start - from, stop - from), this.#at);
      this.#at += stop - start;
    }
    this.#offsetCount = frame.firstOffset;
  }

  #key(L: Pointer): void {
    const type = this.#vm.lua.lua_type(L, -2);
    if (type === TYPE.string || type === TYPE.number || type === TYPE.boolean) this.#scalar(L, -2, type);
    else throw new Refusal(`cannot store a ${typeName(type)} as a key`, this.#depth - 1);
  }

  /** Room for {@link SLACK} bytes has been made. */
  #scalar(L: Pointer, index: number, type: number): void {
    const { lua } = this.#vm;
    switch (type) {
      case TYPE.nil:
        this.#out[this.#at++] = 0xc0;
        break;
      case TYPE.boolean:
        this.#out[this.#at++] = 0xc2 + lua.lua_toboolean(L, index);
        break;
      case TYPE.number:
        this.#number(L, index);
        break;
      case TYPE.string:
        this.#string(L, index);
        break;
      default:
        throw new Refusal(`cannot store a ${typeName(type)}`, this.#depth);
    }
  }

  #number(L: Pointer, index: number): void {
    const { lua } = this.#vm;
    const n = lua.lua_tonumberx(L, index, 0);
    if (lua.lua_isinteger(L, index) === 0) {
      this.#out[this.#at] = 0xcb;
      this.#view.setFloat64(this.#at + 1, n);
      this.#at += 9;
    } else if (Number.isSafeInteger(n)) this.#integer(n);
    else this.#int64(lua.lua_tointegerx(L, index, 0));
  }

  #integer(n: number): void {
    const out = this.#out;
    if (n >= -32 && n <= 127) out[this.#at++] = n;
    else if (n > 0 && n <= 0xff) {
      out[this.#at++] = 0xcc;
      out[this.#at++] = n;
    } else if (n > 0 && n <= 0xffff) {
      out[this.#at] = 0xcd;
      this.#view.setUint16(this.#at + 1, n);
      this.#at += 3;
    } else if (n >= -0x80000000 && n <= 0xffffffff) {
      out[this.#at] = n > 0 ? 0xce : 0xd2;
      this.#view.setInt32(this.#at + 1, n | 0);
      this.#at += 5;
    } else this.#int64(BigInt(n));
  }

  #int64(n: bigint): void {
    this.#out[this.#at] = 0xd3;
    this.#view.setBigInt64(this.#at + 1, n);
    this.#at += 9;
  }

  #string(L: Pointer, index: number): void {
    const vm = this.#vm;
    const from = vm.lua.lua_tolstring(L, index, vm.scratch);
    const length = vm.u32[vm.scratch >> 2]!;
    if (length > 31) {
      this.#longString(vm.u8.subarray(from, from + length));
      return;
    }
    this.#reserve(SLACK + length);
    const { u8 } = vm;
    const out = this.#out;
    let at = this.#at;
    let high = 0;
    out[at++] = 0xa0 | length;
    for (let i = from; i < from + length; i++) {
      const byte = u8[i]!;
      high |= byte;
      out[at++] = byte;
    }
    if (high < 0x80 || isUtf8(u8.subarray(from, from + length))) this.#at = at;
    else this.#longString(u8.subarray(from, from + length));
  }

  #longString(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#reserve(SLACK + length);
    const text = length > 31 && isUtf8(bytes);
    const width = length <= 0xff ? 0 : length <= 0xffff ? 1 : 2;
    this.#out[this.#at++] = (text ? 0xd9 : 0xc4) + width;
    if (width === 0) this.#view.setUint8(this.#at, length);
    else if (width === 1) this.#view.setUint16(this.#at, length);
    else this.#view.setUint32(this.#at, length);
    this.#at += 1 << width;
    this.#out.set(bytes, this.#at);
    this.#at += length;
  }

  /** Makes room for `more` bytes. */
  #reserve(more: number): void {
    const needed = this.#at + more;
    if (needed <= this.#out.length) return;
    if (this.#at > this.#maxBytes || needed > this.#maxBytes + 2 * SLACK) throw this.#tooLarge();
    const larger = new Uint8Array(Math.min(2 * needed, this.#maxBytes + 4 * SLACK));
    larger.set(this.#out.subarray(0, this.#at));
    this.#out = larger;
    this.#view = new DataView(larger.buffer);
  }

  #checkSize(): void {
    if (this.#at > this.#maxBytes) throw this.#tooLarge();
  }

  #tooLarge = (): Refusal => new Refusal(`larger than ${this.#maxBytes} bytes`, 0);

  #tooDeep(L: Pointer): Refusal {
    const { lua } = this.#vm;
    const base = lua.lua_gettop(L) - 2 * this.#depth;
    const table = (depth: number) => lua.lua_topointer(L, base + 2 * depth);
    const seen = new Map<Pointer, number>();
    for (let depth = 0; depth <= this.#depth; depth++) {
      if (seen.has(table(depth))) return new Refusal('cannot store a table that contains itself', depth);
      seen.set(table(depth), depth);
    }
    return new Refusal(`nested deeper than ${this.#maxDepth} tables`, this.#depth);
  }

  /** The keys that lead to the place at `depth`. Each table under way has two slots: itself and its present key. */
  #path(L: Pointer, base: number, depth: number): string {
    const steps: string[] = [];
    for (let i = 0; i < depth; i++) steps.push(this.#keyText(L, base + 2 * i + 2, this.#frames[i]!));
    if (steps.length > LONGEST_PATH) steps.splice(LONGEST_PATH / 2, steps.length - LONGEST_PATH, '…');
    return steps.join('');
  }

  #keyText(L: Pointer, index: number, frame: Frame): string {
    const { lua } = this.#vm;
    if (frame.kind === SCATTERED) return `[${frame.count}]`;
    const type = lua.lua_type(L, index);
    if (type === TYPE.boolean) return `[${lua.lua_toboolean(L, index) === 1}]`;
    if (type === TYPE.number) {
      // Converting the key in place would confuse `lua_next`, but the walk is over.
      return `[${this.#vm.text(L, index)}]`;
    }
    if (type !== TYPE.string) return `[${typeName(type)}]`;
    const text = this.#vm.text(L, index);
    return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text) ? `.${text}` : `[${JSON.stringify(text)}]`;
  }
}

const LONGEST_PATH = 12;

/** Why, and how many keys lead to the place. */
class Refusal extends Error {
  readonly depth: number;
  constructor(message: string, depth: number) {
    super(message);
    this.depth = depth;
  }
}
