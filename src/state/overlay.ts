import { type Bytes, bytesOfLatin1, latin1Of } from '../util/bytes.js';
import type { EntryRange, EntrySource, SealedEntry } from './entries.js';
import { unsealEntry } from './layout.js';

/** Sealed values by raw key (`latin1Of`); null: not there. */
export type Overlay = ReadonlyMap<string, Bytes | null>;

/** `base` as it would be with the overlay's values in place of its own. */
export function overlaid(base: EntrySource, overlay: Overlay): EntrySource {
  const names = [...overlay.keys()].sort();
  return {
    get: async (raw) => {
      const sealed = overlay.get(latin1Of(raw));
      if (sealed === undefined) return await base.get(raw);
      return sealed === null ? undefined : unsealEntry(raw, sealed);
    },
    iterate: (range) => merge(base, overlay, names, range),
  };
}

async function* merge(
  base: EntrySource,
  overlay: Overlay,
  names: readonly string[],
  { limit = Number.POSITIVE_INFINITY, ...range }: EntryRange,
): AsyncIterable<readonly SealedEntry[]> {
  let left = limit;
  for await (const page of mergeAll(base, overlay, inRange(names, range), range)) {
    if (page.length > 0) yield page.slice(0, left);
    left -= page.length;
    if (left <= 0) return;
  }
}

/** Both are in order: each page of the base takes up the overlay's entries up to its last key. */
async function* mergeAll(
  base: EntrySource,
  overlay: Overlay,
  names: readonly string[],
  range: EntryRange,
): AsyncIterable<SealedEntry[]> {
  let at = 0;
  const take = (upTo?: string): SealedEntry[] => {
    const taken: SealedEntry[] = [];
    for (; at < names.length && (upTo === undefined || names[at]! <= upTo); at++)
      taken.push(...present(names[at]!, overlay));
    return taken;
  };
  for await (const page of base.iterate(range)) {
    const merged: SealedEntry[] = [];
    for (const entry of page) {
      const name = latin1Of(entry.key);
      merged.push(...take(name));
      if (!overlay.has(name)) merged.push(entry);
    }
    yield merged;
  }
  yield take();
}

function present(name: string, overlay: Overlay): SealedEntry[] {
  const sealed = overlay.get(name)!;
  const key = bytesOfLatin1(name);
  return sealed === null ? [] : [{ key, ...unsealEntry(key, sealed) }];
}

function inRange(names: readonly string[], { gte, gt, lt, lte }: EntryRange): string[] {
  const bound = (bytes: Bytes | undefined) => (bytes === undefined ? undefined : latin1Of(bytes));
  const [low, above, high, upTo] = [bound(gte), bound(gt), bound(lt), bound(lte)];
  return names.filter(
    (name) =>
      (low === undefined || name >= low) &&
      (above === undefined || name > above) &&
      (high === undefined || name < high) &&
      (upTo === undefined || name <= upTo),
  );
}
