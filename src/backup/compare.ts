import { decodeKey } from '../state/key.js';
import type { RawEntry } from '../state/types.js';
import { type Bytes, compareBytes, equalBytes } from '../util/bytes.js';
import { crc32 } from '../util/hash.js';
import type { StateDiff } from './types.js';

/** An entry as far as it takes to tell whether another one is the same: its value, or the print of it (`printOf`). */
export interface Printed {
  key: Bytes;
  value: Bytes | number;
}

/** CRC-32 and length in one number. Lengths are kept up to 2 MiB, beyond that modulo 2 MiB: so the sum is exact in a double. */
export const printOf = (value: Bytes): number => crc32(value) + (value.length % 2 ** 21) * 2 ** 32;

function isSameValue(a: Bytes | number, b: Bytes | number): boolean {
  if (typeof a === 'object' && typeof b === 'object') return compareBytes(a, b) === 0;
  return (typeof a === 'object' ? printOf(a) : a) === (typeof b === 'object' ? printOf(b) : b);
}

/** One of `count` parts that the entries of a state are divided into by their keys, so that one part fits into memory. */
export interface Part {
  index: number;
  count: number;
}

export const WHOLE: Part = { index: 0, count: 1 };

export const partsOf = (count: number): Part[] => Array.from({ length: count }, (_, index) => ({ index, count }));

export const isInPart = (key: Bytes, { index, count }: Part): boolean => count === 1 || crc32(key) % count === index;

export async function* inPart<T extends Printed>(
  pages: AsyncIterable<readonly T[]>,
  part: Part,
): AsyncGenerator<readonly T[]> {
  for await (const page of pages) yield part.count === 1 ? page : page.filter(({ key }) => isInPart(key, part));
}

/** A state that can be compared with others, part by part. */
export interface ComparableState {
  readonly parts: readonly Part[];
  /** In byte order of the keys. */
  prints(part: Part, scopes?: readonly Bytes[]): AsyncIterable<readonly Printed[]>;
  close(): Promise<void>;
}

/** Anything that tells its entries in byte order of their keys. */
export const comparable = (state: {
  entries(scopes?: readonly Bytes[]): AsyncIterable<readonly RawEntry[]>;
  close?(): Promise<void>;
}): ComparableState => ({
  parts: [WHOLE],
  prints: (part, scopes) => inPart(state.entries(scopes), part),
  close: async () => state.close?.(),
});

export type Difference = 'changed' | 'onlyLeft' | 'onlyRight';

/** How two values of one key compare; at least one is there. */
export function differenceOf(left: Printed | undefined, right: Printed | undefined): Difference | 'same' {
  if (!right) return 'onlyLeft';
  if (!left) return 'onlyRight';
  return isSameValue(left.value, right.value) ? 'same' : 'changed';
}

/** Walks two states and names every entry that differs. */
export async function compareStates(
  left: ComparableState,
  right: ComparableState,
  scopes: readonly Bytes[] | undefined,
  onDifference: (kind: Difference, key: Bytes) => void,
): Promise<void> {
  await walkTogether([left, right], scopes, (key, [a, b]) => {
    const kind = differenceOf(a, b);
    if (kind !== 'same') onDifference(kind, key);
  });
}

/** The names of all entries that differ, in byte order. Only these are in memory. */
export async function diffStates(from: ComparableState, to: ComparableState): Promise<StateDiff> {
  const found: Record<Difference, Bytes[]> = { onlyRight: [], changed: [], onlyLeft: [] };
  await compareStates(from, to, undefined, (kind, key) => found[kind].push(Buffer.from(key)));
  const names = (keys: Bytes[]) => keys.sort(compareBytes).flatMap((key) => decodeKey(key) ?? []);
  return { added: names(found.onlyRight), changed: names(found.changed), removed: names(found.onlyLeft) };
}

/**
 * Walks several states in step and calls `visit` for each key that any of them has, with what each has under it. In byte order within
 * a part; as many passes as the state with the most parts needs. One page of each state is in memory. The list handed to `visit` is good
 * during the call only.
 */
export async function walkTogether(
  states: readonly ComparableState[],
  scopes: readonly Bytes[] | undefined,
  visit: (key: Bytes, entries: readonly (Printed | undefined)[]) => void,
  onPart: () => void = () => undefined,
): Promise<void> {
  const parts = states.map((state) => state.parts).reduce((most, some) => (some.length > most.length ? some : most));
  for (const part of parts) {
    onPart();
    const cursors = states.map((state) => new Cursor(state.prints(part, scopes)));
    try {
      await walkOnce(cursors, visit);
    } finally {
      await Promise.all(cursors.map((cursor) => cursor.close()));
    }
  }
}

async function walkOnce(
  cursors: readonly Cursor[],
  visit: (key: Bytes, entries: readonly (Printed | undefined)[]) => void,
): Promise<void> {
  const found: (Printed | undefined)[] = cursors.map(() => undefined);
  for (;;) {
    for (const cursor of cursors) if (cursor.isDrained) await cursor.load();
    const key = takeLeast(cursors, found);
    if (!key) return;
    visit(key, found);
  }
}

/** Takes the entries with the least key into `found`, one from each cursor that has it, and returns that key. */
function takeLeast(cursors: readonly Cursor[], found: (Printed | undefined)[]): Bytes | undefined {
  let least: Bytes | undefined;
  for (let i = 0; i < cursors.length; i++) {
    const { entry } = cursors[i]!;
    found[i] = entry;
    // Mostly all of them have it, and that is quicker to see than an order.
    if (!entry || (least && equalBytes(entry.key, least))) continue;
    if (!least || compareBytes(entry.key, least) < 0) {
      least = entry.key;
      found.fill(undefined, 0, i);
    } else found[i] = undefined;
  }
  for (let i = 0; i < cursors.length; i++) if (found[i]) cursors[i]!.take();
  return least;
}

/** One entry after the other out of pages, without a promise for each. The next page is fetched while this one is used. */
class Cursor {
  readonly #pages: AsyncIterator<readonly Printed[]>;
  #next: Promise<IteratorResult<readonly Printed[]>>;
  #page: readonly Printed[] = [];
  #at = 0;
  #isOver = false;

  constructor(pages: AsyncIterable<readonly Printed[]>) {
    this.#pages = pages[Symbol.asyncIterator]();
    this.#next = this.#fetch();
  }

  /** Whether `load` has to be called before `entry` tells anything. */
  get isDrained(): boolean {
    return this.#at >= this.#page.length && !this.#isOver;
  }

  get entry(): Printed | undefined {
    return this.#page[this.#at];
  }

  take(): void {
    this.#at++;
  }

  async load(): Promise<void> {
    while (this.isDrained) {
      const next = await this.#next;
      this.#isOver = next.done === true;
      this.#page = next.done ? [] : next.value;
      this.#at = 0;
      if (!next.done) this.#next = this.#fetch();
    }
  }

  async close(): Promise<void> {
    await this.#next.catch(() => undefined);
    await this.#pages.return?.();
  }

  #fetch(): Promise<IteratorResult<readonly Printed[]>> {
    const next = this.#pages.next();
    // Told by `load`; nobody may come for it where another state ends the walk first.
    next.catch(() => undefined);
    return next;
  }
}
