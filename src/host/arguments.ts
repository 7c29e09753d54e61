import { LlmspellError } from '../errors.js';
import { type Bytes, printable, utf8 } from '../util/bytes.js';

/**
 * Checks what a script hands to a host function, and words a refusal as Lua words it:
 * `bad argument #1 to 'create_backup' (unknown option 'incremantal')`.
 */

/** What each kind of option becomes on this side. */
interface Kinds {
  boolean: boolean;
  string: string;
  number: number;
  /** A whole number, 0 or more. */
  count: number;
  strings: string[];
  byteStrings: Bytes[];
}

export type OptionKinds = Record<string, keyof Kinds>;
export type Options<S extends OptionKinds> = { [K in keyof S]?: Kinds[S[K]] };

const isArray = (value: unknown): value is unknown[] => Array.isArray(value);
/** An empty Lua table is an empty list as well as an empty map. */
const asArray = (value: unknown): unknown[] | undefined => {
  if (isArray(value)) return value;
  const empty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  return empty && !(value instanceof Uint8Array) ? [] : undefined;
};
const all = <T>(value: unknown, one: (item: unknown) => T | undefined): T[] | undefined => {
  const items = asArray(value)?.map(one);
  return items?.every((item) => item !== undefined) ? (items as T[]) : undefined;
};

const asString = (value: unknown) => (typeof value === 'string' ? value : undefined);
export const asBytes = (value: unknown): Bytes | undefined => {
  if (typeof value === 'string') return utf8(value);
  return value instanceof Uint8Array ? value : undefined;
};

const readers: { [K in keyof Kinds]: { expected: string; read: (value: unknown) => Kinds[K] | undefined } } = {
  boolean: { expected: 'a boolean', read: (v) => (typeof v === 'boolean' ? v : undefined) },
  string: { expected: 'a string', read: asString },
  number: { expected: 'a number', read: (v) => (typeof v === 'number' && Number.isFinite(v) ? v : undefined) },
  count: {
    expected: 'a whole number',
    read: (v) => (Number.isSafeInteger(v) && (v as number) >= 0 ? (v as number) : undefined),
  },
  strings: { expected: 'an array of strings', read: (v) => all(v, asString) },
  byteStrings: { expected: 'an array of strings', read: (v) => all(v, asBytes) },
};

export function badArgument(fn: string, index: number, problem: string): LlmspellError {
  return new LlmspellError('USAGE', `bad argument #${index} to '${fn}' (${problem})`);
}

/** The options table at argument `index` (1-based), every key known and every value of its kind; absent means none. */
export function optionsOf<S extends OptionKinds>(fn: string, index: number, value: unknown, kinds: S): Options<S> {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || value instanceof Uint8Array) throw badArgument(fn, index, 'table expected');
  if (isArray(value) || value instanceof Map) throw badArgument(fn, index, 'options are named, as in { limit = 1 }');
  const options: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(value)) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined) {
      throw badArgument(fn, index, `unknown option '${name}'; there are ${Object.keys(kinds).join(', ')}`);
    }
    const { expected, read } = readers[kind];
    options[name] = read(given);
    if (options[name] === undefined) throw badArgument(fn, index, `option '${name}' must be ${expected}`);
  }
  return options as Options<S>;
}

export function stringArgument(fn: string, index: number, value: unknown): string {
  const bytes = asBytes(value);
  if (bytes === undefined) throw badArgument(fn, index, `string expected, got ${luaTypeOf(value)}`);
  return typeof value === 'string' ? value : printable(bytes);
}

/** A moment as scripts give it to a function. */
export function momentArgument(fn: string, index: number, value: unknown): Moment {
  const moment = parseMoment(value);
  if (moment) return moment;
  throw badArgument(fn, index, 'Unix seconds, an ISO-8601 time, seq:NUMBER or a backup id expected');
}

type Moment = { timeMs: number } | { seq: number } | { backupId: string };

/**
 * A moment as people and scripts name it: a time as `parseTime` takes it, `seq:NUMBER` for that of a change, or a backup by its id, the beginning of
 * it, `latest`, or the id of a rollback point.
 */
export function parseMoment(value: unknown): Moment | undefined {
  const timeMs = parseTime(value);
  if (timeMs !== undefined) return { timeMs };
  if (typeof value !== 'string') return undefined;
  const [, seq] = /^seq:(\d{1,15})$/.exec(value) ?? [];
  if (seq !== undefined) return { seq: Number(seq) };
  // Some digits alone may be a time that somebody wrote as text.
  return /^([0-9a-f]{16}|(?=\d*[a-f])[0-9a-f]{1,15}|latest|rollback-\d+)$/i.test(value)
    ? { backupId: value }
    : undefined;
}

/**
 * A time as people and scripts give it: Unix seconds (fraction allowed) or an ISO-8601 string (without a zone: local time, as
 * ECMAScript has it; a date alone: UTC). In whole milliseconds, rounded down.
 */
export function parseTime(value: unknown): number | undefined {
  // A product with 1000 may fall just short of the whole millisecond that was meant; a thousandth of one brings it back.
  if (typeof value === 'number' && Number.isFinite(value)) return Math.floor(value * 1000 + 0.001);
  if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}/.test(value)) return undefined;
  const parsed = Date.parse(value.trim());
  return Number.isNaN(parsed) ? undefined : parsed;
}

function luaTypeOf(value: unknown): string {
  if (value === undefined) return 'no value';
  if (value === null) return 'nil';
  if (typeof value === 'bigint') return 'number';
  return typeof value === 'object' ? 'table' : typeof value;
}
