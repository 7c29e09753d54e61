import { type Pointer, TYPE, typeName } from './api.js';
import { TooLarge, ValueWriter } from './value-writer.js';
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
  readonly #writer: ValueWriter;
  readonly #frames: Frame[] = [];
  #depth = 0;
  /** Where each element of each array under way begins: a table that turns out to be a map gets its keys inserted there. */
  readonly #offsets: number[] = [];
  #offsetCount = 0;

  constructor(vm: LuaVm, limits: { maxValueBytes: number; maxValueDepth: number }) {
    this.#vm = vm;
    this.#maxBytes = limits.maxValueBytes;
    this.#writer = new ValueWriter(limits.maxValueBytes);
    this.#maxDepth = limits.maxValueDepth;
  }

  /**
   * The value at `index` (not a pseudo-index, absolute) as bytes in a buffer that the next call overwrites. Leaves the stack as it was.
   *
   * @param name what paths in messages begin with
   * @throws EncodeError with the stack as it then is
   */
  encode(L: Pointer, index: number, name = 'value'): Uint8Array {
    this.#writer.begin();
    this.#depth = 0;
    this.#offsetCount = 0;
    const base = this.#vm.lua.lua_gettop(L);
    try {
      this.#value(L, index);
      return this.#writer.finish();
    } catch (error) {
      if (error instanceof TooLarge) throw new EncodeError(`${name}: larger than ${this.#maxBytes} bytes`);
      if (error instanceof Refusal)
        throw new EncodeError(`${name}${this.#path(L, base, error.depth)}: ${error.message}`);
      throw error;
    }
  }

  #value(L: Pointer, index: number): void {
    const { lua } = this.#vm;
    const type = lua.lua_type(L, index);
    if (type !== TYPE.table) {
      this.#writer.makeRoom();
      this.#scalar(L, index, type);
      return;
    }
    lua.lua_checkstack(L, 4);
    lua.lua_pushvalue(L, index);
    this.#open(L);
    while (this.#depth > 0) this.#step(L);
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
    this.#writer.makeRoom();
    if (frame.kind === MAP) this.#key(L);
    else this.#offsets[this.#offsetCount++] = this.#writer.position;
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
    this.#writer.makeRoom();
    this.#frames[this.#depth] ??= { kind: ARRAY, start: 0, count: 0, firstOffset: 0, length: 0 };
    const frame = this.#frames[this.#depth++]!;
    frame.kind = ARRAY;
    frame.start = this.#writer.openTable();
    frame.count = 0;
    frame.firstOffset = this.#offsetCount;
    lua.lua_pushnil(L);
  }

  /** Stack: … table. Writes its header and takes it away. */
  #close(L: Pointer, frame: Frame): void {
    this.#writer.closeTable(frame.start, frame.count, frame.kind === MAP || frame.count === 0);
    this.#offsetCount = frame.firstOffset;
    this.#depth--;
    this.#vm.lua.lua_settop(L, -2);
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
    this.#writer.insertKeys(this.#offsets.slice(frame.firstOffset, frame.firstOffset + frame.count));
    this.#offsetCount = frame.firstOffset;
  }

  #key(L: Pointer): void {
    const type = this.#vm.lua.lua_type(L, -2);
    if (type === TYPE.string || type === TYPE.number || type === TYPE.boolean) this.#scalar(L, -2, type);
    else throw new Refusal(`cannot store a ${typeName(type)} as a key`, this.#depth - 1);
  }

  #scalar(L: Pointer, index: number, type: number): void {
    const { lua } = this.#vm;
    switch (type) {
      case TYPE.nil:
        this.#writer.nil();
        break;
      case TYPE.boolean:
        this.#writer.boolean(lua.lua_toboolean(L, index));
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
    if (lua.lua_isinteger(L, index) === 0) this.#writer.float(n);
    else if (Number.isSafeInteger(n)) this.#writer.integer(n);
    else this.#writer.int64(lua.lua_tointegerx(L, index, 0));
  }

  #string(L: Pointer, index: number): void {
    const vm = this.#vm;
    const from = vm.lua.lua_tolstring(L, index, vm.scratch);
    this.#writer.string(vm.u8, from, vm.u32[vm.scratch >> 2]!);
  }

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
