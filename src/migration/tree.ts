import { writeBigint, writeBytes, writeText } from '../state/codec.js';
import { type Builder, MessagePackWriter, readMessagePack } from '../state/msgpack.js';
import { type Bytes, textOf } from '../util/bytes.js';

/** A float, so that `1.0` stays apart from `1`. */
export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** A table that is no array: keys of any kind, in the order they are stored in. */
export class Table {
  readonly entries: [key: Tree, value: Tree][];
  constructor(entries: [key: Tree, value: Tree][] = []) {
    this.entries = entries;
  }
}

/**
 * A stored value, exactly: integers are numbers, or bigints beyond ±(2^53 − 1); strings are text where they are UTF-8, else bytes; tables
 * with the keys 1…n are arrays. What is decoded and encoded again is the same Lua value.
 */
export type Tree = null | boolean | number | bigint | Float | string | Uint8Array | Tree[] | Table;

/** Throws `VALUE_INVALID` where it is not a stored value. */
export const decodeTree = (bytes: Bytes): Tree => readMessagePack(bytes, builder);

const builder: Builder<Tree> = {
  nil: () => null,
  boolean: (value) => value,
  integer: (value) => value,
  float: (value) => new Float(value),
  string: (bytes) => textOf(bytes) ?? new Uint8Array(bytes),
  array: (items) => items,
  map: (entries) => new Table(entries),
};

export function encodeTree(tree: Tree): Bytes {
  const writer = new MessagePackWriter();
  write(writer, tree);
  return writer.finish();
}

function write(writer: MessagePackWriter, tree: Tree): void {
  if (tree === null) writer.nil();
  else if (typeof tree === 'boolean') writer.boolean(tree);
  else if (typeof tree === 'number') writer.integer(tree);
  else if (typeof tree === 'bigint') writeBigint(writer, tree, 'value');
  else if (tree instanceof Float) writer.float(tree.value);
  else if (typeof tree === 'string') writeText(writer, tree, 'value');
  else if (tree instanceof Uint8Array) writeBytes(writer, tree);
  else if (tree instanceof Table) writeTable(writer, tree);
  else writeArray(writer, tree);
}

function writeArray(writer: MessagePackWriter, items: readonly Tree[]): void {
  writer.array(items.length);
  for (const item of items) write(writer, item);
}

function writeTable(writer: MessagePackWriter, { entries }: Table): void {
  writer.map(entries.length);
  for (const [key, value] of entries) {
    write(writer, key);
    write(writer, value);
  }
}

export type TypeName = 'nil' | 'boolean' | 'integer' | 'float' | 'string' | 'array' | 'table';

/** What Lua calls it, with integers and floats, arrays and other tables told apart. */
export function typeOf(tree: Tree): TypeName {
  if (tree === null) return 'nil';
  if (typeof tree === 'boolean') return 'boolean';
  if (typeof tree === 'number' || typeof tree === 'bigint') return 'integer';
  if (tree instanceof Float) return 'float';
  if (typeof tree === 'string' || tree instanceof Uint8Array) return 'string';
  return Array.isArray(tree) ? 'array' : 'table';
}

/** Whether both are the same Lua value: 1 and 1.0 are not, the order of a table's keys does not count. */
export function sameTree(a: Tree, b: Tree): boolean {
  return canonical(a) === canonical(b);
}

/** Text that is the same for the same Lua value only. */
function canonical(tree: Tree): string {
  if (tree instanceof Float) return `f${Object.is(tree.value, -0) ? '-0' : tree.value}`;
  if (tree instanceof Uint8Array) return `b${Buffer.from(tree).toString('hex')}`;
  if (Array.isArray(tree)) return canonicalEntries(tree.map((item, i): [Tree, Tree] => [i + 1, item]));
  if (tree instanceof Table) return canonicalEntries(tree.entries);
  return typeof tree === 'string' ? JSON.stringify(tree) : String(tree);
}

function canonicalEntries(entries: readonly [Tree, Tree][]): string {
  const fields = entries.filter(([, value]) => value !== null);
  return `{${fields
    .map(([key, value]) => `${canonical(key)}=${canonical(value)}`)
    .sort()
    .join(',')}}`;
}

const LONGEST = 60;

/** A value for people, in one short piece. */
export function describeTree(tree: Tree): string {
  if (tree instanceof Float) return floatText(tree.value);
  if (typeof tree === 'string') return JSON.stringify(tree.length > LONGEST ? `${tree.slice(0, LONGEST)}…` : tree);
  if (tree instanceof Uint8Array) return `${tree.length} bytes that are not text`;
  if (Array.isArray(tree)) return `an array of ${tree.length}`;
  if (tree instanceof Table) return `a table of ${tree.entries.length}`;
  return tree === null ? 'nil' : String(tree);
}

/** The shortest text that reads back as the same float, and as a float. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
