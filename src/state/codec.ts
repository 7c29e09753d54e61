import { type Bytes, textOf, utf8 } from '../util/bytes.js';
import { assertDepth, type Builder, invalid, MessagePackWriter, readMessagePack } from './msgpack.js';

/**
 * MessagePack, as values are stored, from and to JavaScript values.
 *
 * | Lua | JavaScript |
 * | --- | --- |
 * | nil, boolean | `null`, boolean |
 * | integer | number; bigint outside ±(2^53 − 1) |
 * | float | number, so that `1.0` comes out as `1` (`exact-json.ts` keeps them apart) |
 * | string | string where it is valid UTF-8, else `Uint8Array` |
 * | table with the keys 1…n | array |
 * | table with text keys only, also an empty one | plain object |
 * | any other table | `Map` |
 */
export type LuaValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | LuaValue[]
  | { [key: string]: LuaValue }
  | Map<LuaValue, LuaValue>;

/** Throws `VALUE_INVALID` where the bytes are not such a value. */
export const decodeValue = (bytes: Bytes): LuaValue => readMessagePack(bytes, toJavaScript);

const toJavaScript: Builder<LuaValue> = {
  nil: () => null,
  boolean: (value) => value,
  integer: (value) => value,
  float: (value) => value,
  string: (bytes) => textOf(bytes) ?? new Uint8Array(bytes),
  array: (items) => items,
  map: (entries) =>
    entries.every((entry): entry is [string, LuaValue] => typeof entry[0] === 'string')
      ? toObject(entries)
      : new Map(entries),
};

/** An object of these fields, where also `__proto__` is an ordinary one. */
export function toObject<T>(fields: readonly (readonly [string, T])[]): { [key: string]: T } {
  const object: { [key: string]: T } = {};
  for (const [key, value] of fields)
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  return object;
}

/**
 * Numbers that are safe integers become Lua integers, all others floats; bigints integers; undefined fields are left out, and
 * undefined items of an array are nil. Throws `VALUE_INVALID`, naming the path (`value.settings.items[2]`, counted from 1 as
 * in Lua), for what has no place in Lua: functions, symbols, dates and other class instances, bigints beyond 64 bits, strings
 * with half a surrogate pair, cycles.
 */
export function encodeValue(value: unknown): Bytes {
  const writer = new MessagePackWriter();
  write(writer, value, 'value', 0);
  return writer.finish();
}

function write(writer: MessagePackWriter, value: unknown, path: string, depth: number): void {
  assertDepth(depth, path);
  if (value === undefined || value === null) writer.nil();
  else if (typeof value === 'boolean') writer.boolean(value);
  else if (typeof value === 'number') writeNumber(writer, value);
  else if (typeof value === 'bigint') writeBigint(writer, value, path);
  else if (typeof value === 'string') writeText(writer, value, path);
  else if (value instanceof Uint8Array) writeBytes(writer, value);
  else if (Array.isArray(value)) writeArray(writer, value, path, depth);
  else if (value instanceof Map) writeMap(writer, value, path, depth);
  else if (isPlainObject(value)) writeFields(writer, value, path, depth);
  else throw invalid(path, `cannot store a ${typeof value === 'object' ? value.constructor.name : typeof value}`);
}

function isPlainObject(value: object | symbol): value is object {
  const prototype: unknown = typeof value === 'object' ? Object.getPrototypeOf(value) : undefined;
  return prototype === Object.prototype || prototype === null;
}

function writeNumber(writer: MessagePackWriter, value: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) writer.integer(value);
  else writer.float(value);
}

export function writeBigint(writer: MessagePackWriter, value: bigint, path: string): void {
  if (BigInt.asIntN(64, value) !== value) throw invalid(path, `${value} does not fit a 64-bit integer`);
  writer.integer(value);
}

export function writeText(writer: MessagePackWriter, text: string, path: string): void {
  if (/\p{Surrogate}/u.test(text)) throw invalid(path, 'the string has half a surrogate pair');
  writer.string(utf8(text), true);
}

export const writeBytes = (writer: MessagePackWriter, bytes: Bytes): void =>
  writer.string(bytes, textOf(bytes) !== undefined);

function writeArray(writer: MessagePackWriter, items: readonly unknown[], path: string, depth: number): void {
  writer.array(items.length);
  // Not forEach: it leaves out holes.
  for (let i = 0; i < items.length; i++) write(writer, items[i], `${path}[${i + 1}]`, depth + 1);
}

function writeFields(writer: MessagePackWriter, value: object, path: string, depth: number): void {
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  writer.map(fields.length);
  for (const [key, field] of fields) {
    writeText(writer, key, path);
    write(writer, field, `${path}.${key}`, depth + 1);
  }
}

function writeMap(writer: MessagePackWriter, map: Map<unknown, unknown>, path: string, depth: number): void {
  const entries = [...map].filter(([, field]) => field !== undefined);
  writer.map(entries.length);
  for (const [key, field] of entries) {
    if (key === null || key === undefined || Number.isNaN(key)) throw invalid(path, `${key} cannot be a key`);
    write(writer, key, `${path}: a key`, depth + 1);
    write(writer, field, `${path}[${describeKey(key)}]`, depth + 1);
  }
}

const describeKey = (key: unknown): string =>
  typeof key === 'string' || typeof key === 'number' || typeof key === 'boolean' ? String(key) : '…';
