import { LlmspellError } from '../errors.js';
import type { Bytes } from '../util/bytes.js';

/** How deep tables may be nested in a value read or written here; scripts are held to less (`max_value_depth`). */
const MAX_DEPTH = 1000;

/** Makes a result of each part of a MessagePack value, from the inside out. */
export interface Builder<T> {
  nil(): T;
  boolean(value: boolean): T;
  /** A number where it is a safe integer, else a bigint. */
  integer(value: number | bigint): T;
  float(value: number): T;
  /** `str`, and without `binary` also `bin`: a Lua string. */
  string(bytes: Bytes): T;
  binary?(bytes: Bytes): T;
  array(items: T[]): T;
  map(entries: [key: T, value: T][]): T;
}

/**
 * Reads one MessagePack value (https://github.com/msgpack/msgpack/blob/master/spec.md) that must take up all of the bytes.
 * Without extension types. Throws `VALUE_INVALID` for anything else.
 */
export function readMessagePack<T>(bytes: Bytes, builder: Builder<T>): T {
  const reader = new Reader(bytes, builder);
  try {
    const value = reader.value(0);
    if (reader.at !== bytes.length) throw malformed();
    return value;
  } catch (error) {
    throw error instanceof RangeError ? malformed() : error;
  }
}

class Reader<T> {
  at = 0;
  readonly #bytes: Bytes;
  readonly #view: DataView;
  readonly #build: Builder<T>;

  constructor(bytes: Bytes, builder: Builder<T>) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#build = builder;
  }

  value(depth: number): T {
    if (depth > MAX_DEPTH) throw tooDeep('value');
    const build = this.#build;
    const type = this.#view.getUint8(this.at++);
    if (type < 0x80) return build.integer(type);
    if (type < 0x90) return this.#map(type & 0x0f, depth);
    if (type < 0xa0) return this.#array(type & 0x0f, depth);
    if (type < 0xc0) return this.#string(type & 0x1f);
    if (type >= 0xe0) return build.integer(type - 256);
    switch (type) {
      case 0xc0:
        return build.nil();
      case 0xc2:
        return build.boolean(false);
      case 0xc3:
        return build.boolean(true);
      case 0xc4:
        return this.#binary(this.#unsigned(1));
      case 0xc5:
        return this.#binary(this.#unsigned(2));
      case 0xc6:
        return this.#binary(this.#unsigned(4));
      case 0xd9:
        return this.#string(this.#unsigned(1));
      case 0xda:
        return this.#string(this.#unsigned(2));
      case 0xdb:
        return this.#string(this.#unsigned(4));
      case 0xca:
        return build.float(this.#view.getFloat32(this.#take(4)));
      case 0xcb:
        return build.float(this.#view.getFloat64(this.#take(8)));
      case 0xcc:
        return build.integer(this.#unsigned(1));
      case 0xcd:
        return build.integer(this.#unsigned(2));
      case 0xce:
        return build.integer(this.#unsigned(4));
      case 0xcf:
        return build.integer(narrow(this.#view.getBigUint64(this.#take(8))));
      case 0xd0:
        return build.integer(this.#view.getInt8(this.#take(1)));
      case 0xd1:
        return build.integer(this.#view.getInt16(this.#take(2)));
      case 0xd2:
        return build.integer(this.#view.getInt32(this.#take(4)));
      case 0xd3:
        return build.integer(narrow(this.#view.getBigInt64(this.#take(8))));
      case 0xdc:
        return this.#array(this.#unsigned(2), depth);
      case 0xdd:
        return this.#array(this.#unsigned(4), depth);
      case 0xde:
        return this.#map(this.#unsigned(2), depth);
      case 0xdf:
        return this.#map(this.#unsigned(4), depth);
      default:
        throw malformed();
    }
  }

  #take(length: number): number {
    const start = this.at;
    this.at += length;
    if (this.at > this.#bytes.length) throw malformed();
    return start;
  }

  #unsigned(length: 1 | 2 | 4): number {
    const start = this.#take(length);
    if (length === 1) return this.#view.getUint8(start);
    return length === 2 ? this.#view.getUint16(start) : this.#view.getUint32(start);
  }

  #string(length: number): T {
    const start = this.#take(length);
    return this.#build.string(this.#bytes.subarray(start, start + length));
  }

  #binary(length: number): T {
    if (this.#build.binary === undefined) return this.#string(length);
    const start = this.#take(length);
    return this.#build.binary(this.#bytes.subarray(start, start + length));
  }

  #array(count: number, depth: number): T {
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(this.value(depth + 1));
    return this.#build.array(items);
  }

  #map(count: number, depth: number): T {
    const entries: [T, T][] = [];
    for (let i = 0; i < count; i++) entries.push([this.value(depth + 1), this.value(depth + 1)]);
    return this.#build.map(entries);
  }
}

/** Appends MessagePack, each part in its shortest form; floats always take 64 bits, so that they stay apart from integers. */
export class MessagePackWriter {
  #buffer = Buffer.allocUnsafe(256);
  #end = 0;

  finish(): Bytes {
    return new Uint8Array(this.#buffer.subarray(0, this.#end));
  }

  nil(): void {
    this.#byte(0xc0);
  }

  boolean(value: boolean): void {
    this.#byte(value ? 0xc3 : 0xc2);
  }

  /** A safe integer, or a bigint that fits 64 bits with sign. */
  integer(value: number | bigint): void {
    const n = Number(value);
    if (n >= -32 && n < 128) this.#byte(n & 0xff);
    else if (n >= 0 && n < 2 ** 8) this.#unsigned(0xcc, n, 1);
    else if (n >= 0 && n < 2 ** 16) this.#unsigned(0xcd, n, 2);
    else if (n >= 0 && n < 2 ** 32) this.#unsigned(0xce, n, 4);
    else if (n >= -(2 ** 7) && n < 0) this.#signed(0xd0, n, 1);
    else if (n >= -(2 ** 15) && n < 0) this.#signed(0xd1, n, 2);
    else if (n >= -(2 ** 31) && n < 0) this.#signed(0xd2, n, 4);
    else {
      const at = this.#typed(0xd3, 8);
      this.#buffer.writeBigInt64BE(BigInt(value), at);
    }
  }

  float(value: number): void {
    const at = this.#typed(0xcb, 8);
    this.#buffer.writeDoubleBE(value, at);
  }

  /** `str` where the bytes are text, else `bin`. */
  string(bytes: Bytes, isText: boolean): void {
    const { length } = bytes;
    if (isText && length < 32) this.#byte(0xa0 | length);
    else if (length < 2 ** 8) this.#unsigned(isText ? 0xd9 : 0xc4, length, 1);
    else if (length < 2 ** 16) this.#unsigned(isText ? 0xda : 0xc5, length, 2);
    else this.#unsigned(isText ? 0xdb : 0xc6, length, 4);
    const start = this.#reserve(length);
    this.#buffer.set(bytes, start);
  }

  array(count: number): void {
    this.#header(count, 0x90, 0xdc);
  }

  map(count: number): void {
    this.#header(count, 0x80, 0xde);
  }

  #header(count: number, fixed: number, wide: number): void {
    if (count < 16) this.#byte(fixed | count);
    else if (count < 2 ** 16) this.#unsigned(wide, count, 2);
    else this.#unsigned(wide + 1, count, 4);
  }

  #unsigned(type: number, value: number, length: 1 | 2 | 4): void {
    const at = this.#typed(type, length);
    this.#buffer.writeUIntBE(value, at, length);
  }

  #signed(type: number, value: number, length: 1 | 2 | 4): void {
    const at = this.#typed(type, length);
    this.#buffer.writeIntBE(value, at, length);
  }

  #byte(value: number): void {
    const at = this.#reserve(1);
    this.#buffer[at] = value;
  }

  /** Writes the type byte and makes room for what follows it; returns where that goes. */
  #typed(type: number, length: number): number {
    const at = this.#reserve(1 + length);
    this.#buffer[at] = type;
    return at + 1;
  }

  #reserve(length: number): number {
    const start = this.#end;
    this.#end += length;
    if (this.#end > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#end, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, start);
      this.#buffer = grown;
    }
    return start;
  }
}

/** Throws `VALUE_INVALID` where `depth` is too deep, which is also what becomes of a cycle. */
export function assertDepth(depth: number, path: string): void {
  if (depth > MAX_DEPTH) throw tooDeep(path.slice(0, 60));
}

export const invalid = (path: string, problem: string): LlmspellError =>
  new LlmspellError('VALUE_INVALID', `${path}: ${problem}.`, { subject: path });

const narrow = (value: bigint): number | bigint => (Number.isSafeInteger(Number(value)) ? Number(value) : value);
const tooDeep = (path: string): LlmspellError => invalid(path, `nested deeper than ${MAX_DEPTH}, or contains itself`);
const malformed = (): LlmspellError => invalid('value', 'not a value in MessagePack');
