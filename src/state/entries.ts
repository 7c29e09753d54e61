import { type Bytes, compareBytes } from '../util/bytes.js';
import type { BackendView, KeyRange } from './backend.js';
import { decodeKey, encodeKey, prefixEnd, scopePrefix } from './key.js';
import { concat, rawOf, readError, unsealEntry } from './layout.js';
import type { ListOptions, RawEntry, StoredValue } from './types.js';

export interface SealedEntry extends RawEntry {
  /** Of the change that wrote it; 0 where the keys only were asked for. */
  seq: number;
}

/** A range of raw keys. */
export type EntryRange = Omit<KeyRange, 'reverse'>;

/** Entries by their raw keys, checked: what every way of reading a state (live, snapshot, past) is built on. */
export interface EntrySource {
  get(raw: Bytes): Promise<StoredValue | undefined>;
  /** In byte order; no empty pages. */
  iterate(range: EntryRange): AsyncIterable<readonly SealedEntry[]>;
}

/** The entries under a prefix of a view: of a generation, or of a floor. */
export function entriesUnder(view: BackendView, prefix: Bytes): EntrySource {
  return {
    get: async (raw) => {
      try {
        const sealed = await view.get(concat(prefix, raw));
        return sealed === undefined ? undefined : unsealEntry(raw, sealed);
      } catch (error) {
        throw readError(error, raw);
      }
    },
    iterate: async function* (range) {
      for await (const page of view.iterate(under(prefix, range)))
        yield page.map(([stored, sealed]): SealedEntry => {
          const key = rawOf(stored);
          if (range.keysOnly) return { key, value: sealed, seq: 0 };
          const { value, seq } = unsealEntry(key, sealed);
          return { key, value, seq };
        });
    },
  };
}

function under(prefix: Bytes, { gte, gt, lt, lte, ...rest }: EntryRange): KeyRange {
  const range: KeyRange = rest;
  if (gt !== undefined) range.gt = concat(prefix, gt);
  else range.gte = gte === undefined ? prefix : concat(prefix, gte);
  if (lt !== undefined) range.lt = concat(prefix, lt);
  else if (lte !== undefined) range.lte = concat(prefix, lte);
  else range.lt = prefixEnd(prefix)!;
  return range;
}

/** The keys of a scope, in byte order. */
export async function listKeys(source: EntrySource, scope: Bytes, options: ListOptions = {}): Promise<Bytes[]> {
  const keys: Bytes[] = [];
  const range = listRange(scope, options);
  if (range.limit === 0) return keys;
  const skip = scopePrefix(scope).length;
  for await (const page of source.iterate(range)) for (const { key } of page) keys.push(key.subarray(skip));
  return keys;
}

function listRange(scope: Bytes, { prefix, after, limit }: ListOptions): EntryRange {
  const start = prefix === undefined ? scopePrefix(scope) : encodeKey(scope, prefix);
  const range: EntryRange = { keysOnly: true, lt: prefixEnd(start)! };
  const afterKey = after === undefined ? undefined : encodeKey(scope, after);
  if (afterKey !== undefined && compareBytes(afterKey, start) >= 0) range.gt = afterKey;
  else range.gte = start;
  if (limit !== undefined) range.limit = Math.max(0, limit);
  return range;
}

/** The scopes that hold anything, by a seek from each to the next: the cost follows the number of scopes. */
export async function listScopes(source: EntrySource): Promise<Bytes[]> {
  const scopes: Bytes[] = [];
  let range: EntryRange | undefined = { keysOnly: true, limit: 1 };
  while (range !== undefined) {
    const first = await firstKey(source, range);
    const scope: Bytes | undefined = first && decodeKey(first)?.scope;
    if (scope === undefined) break;
    scopes.push(scope);
    const next = prefixEnd(scopePrefix(scope));
    range = next && { keysOnly: true, limit: 1, gte: next };
  }
  return scopes;
}

async function firstKey(source: EntrySource, range: EntryRange): Promise<Bytes | undefined> {
  for await (const page of source.iterate(range)) return page[0]?.key;
  return undefined;
}

/** All entries, or those of some scopes, in byte order. */
export async function* allEntries(
  source: EntrySource,
  scopes?: readonly Bytes[],
  keysOnly = false,
): AsyncIterable<readonly RawEntry[]> {
  if (scopes === undefined) return yield* source.iterate({ keysOnly });
  const prefixes = scopes.map(scopePrefix).sort(compareBytes);
  for (const [i, prefix] of prefixes.entries())
    if (i === 0 || compareBytes(prefix, prefixes[i - 1]!) !== 0)
      yield* source.iterate({ gte: prefix, lt: prefixEnd(prefix)!, keysOnly });
}
