import { type Bytes, textOf } from '../util/bytes.js';
import { toObject, writeBigint, writeBytes, writeText } from './codec.js';
import { assertDepth, type Builder, invalid, MessagePackWriter, readMessagePack } from './msgpack.js';

/**
 * Any Lua value as a JSON document, and back exactly: for export and import.
 *
 * What JSON has is written as such: booleans, text, integers up to ±(2^53 − 1), floats with a fraction, arrays, and tables with
 * text keys none of which begins with `$`. Everything else is an object with one key that begins with `$`:
 * `{"$int": "9223372036854775807"}`, `{"$float": "1"}` (also `nan`, `inf`, `-inf`, `-0`), `{"$bytes": "<base64>"}`,
 * `{"$table": [[key, value], …]}`.
 */
export type ExactJson = null | boolean | number | string | ExactJson[] | { [key: string]: ExactJson };

/** Of stored MessagePack. Throws `VALUE_INVALID` where it is none. */
export const toExactJson = (value: Bytes): ExactJson => readMessagePack(value, toJson);

const toJson: Builder<ExactJson> = {
  nil: () => null,
  boolean: (value) => value,
  integer: (value) => (typeof value === 'bigint' ? { $int: String(value) } : value),
  float: (value) => (Number.isFinite(value) && !Number.isInteger(value) ? value : { $float: floatText(value) }),
  string: (bytes) => textOf(bytes) ?? { $bytes: Buffer.from(bytes).toString('base64') },
  array: (items) => items,
  map: (entries) =>
    entries.every((entry): entry is [string, ExactJson] => typeof entry[0] === 'string' && !entry[0].startsWith('$'))
      ? toObject(entries)
      : { $table: entries },
};

function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return Object.is(value, -0) ? '-0' : String(value);
}

/** The reverse of {@link toExactJson}. Throws `VALUE_INVALID`, naming the path, for what it does not write. */
export function fromExactJson(json: unknown): Bytes {
  const writer = new MessagePackWriter();
  write(writer, json, 'value', 0);
  return writer.finish();
}

function write(writer: MessagePackWriter, json: unknown, path: string, depth: number): void {
  assertDepth(depth, path);
  if (json === null) writer.nil();
  else if (typeof json === 'boolean') writer.boolean(json);
  else if (typeof json === 'string') writeText(writer, json, path);
  else if (typeof json === 'number') writeNumber(writer, json, path);
  else if (Array.isArray(json)) writeArray(writer, json, path, depth);
  else if (typeof json === 'object') writeObject(writer, json as object, path, depth);
  else throw invalid(path, `a ${typeof json} is not JSON`);
}

function writeNumber(writer: MessagePackWriter, value: number, path: string): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) writer.integer(value);
  else if (Object.is(value, -0) || !Number.isInteger(value)) writer.float(value);
  else throw invalid(path, `${value} is not exact in JSON: write {"$int": "…"} or {"$float": "…"}`);
}

function writeArray(writer: MessagePackWriter, items: readonly unknown[], path: string, depth: number): void {
  writer.array(items.length);
  for (const [i, item] of items.entries()) write(writer, item, `${path}[${i + 1}]`, depth + 1);
}

function writeObject(writer: MessagePackWriter, object: object, path: string, depth: number): void {
  const fields: [string, unknown][] = Object.entries(object);
  const [first] = fields;
  if (fields.length === 1 && first?.[0].startsWith('$')) {
    writeTagged(writer, first, path, depth);
    return;
  }
  writer.map(fields.length);
  for (const [key, field] of fields) {
    writeText(writer, key, path);
    write(writer, field, `${path}.${key}`, depth + 1);
  }
}

function writeTagged(writer: MessagePackWriter, [tag, content]: [string, unknown], path: string, depth: number): void {
  if (tag === '$table' && Array.isArray(content)) writeTable(writer, content, path, depth);
  else if (typeof content !== 'string') throw invalid(path, `not a value of ${tag}`);
  else if (tag === '$int' && /^-?\d+$/.test(content)) writeBigint(writer, BigInt(content), path);
  else if (tag === '$float') writer.float(parseFloatText(content, path));
  else if (tag === '$bytes') writeBytes(writer, Buffer.from(content, 'base64'));
  else throw invalid(path, `not a value of ${tag}`);
}

function parseFloatText(text: string, path: string): number {
  if (text === 'nan') return Number.NaN;
  if (text === 'inf' || text === '-inf') return text === 'inf' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) throw invalid(path, `"${text}" is not a number`);
  return value;
}

function writeTable(writer: MessagePackWriter, entries: unknown[], path: string, depth: number): void {
  writer.map(entries.length);
  for (const entry of entries) {
    if (!Array.isArray(entry) || entry.length !== 2 || entry[0] === null) throw invalid(path, 'not an entry of $table');
    write(writer, entry[0], `${path}: a key`, depth + 1);
    write(writer, entry[1], `${path}[…]`, depth + 1);
  }
}
