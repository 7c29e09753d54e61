import { decodeKey } from '../state/key.js';
import type { RawEntry } from '../state/types.js';
import { type Bytes, compareBytes } from '../util/bytes.js';
import { crc32 } from '../util/hash.js';
import type { StateDiff } from './types.js';

/** An entry as far as it takes to tell whether another one is the same. */
export interface Printed {
  key: Bytes;
  /** CRC-32 and length of the value in one number. */
  print: number;
}

/** One of `count` parts that the entries of a state are divided into by their keys, so that one part fits into memory. */
export interface Part {
  index: number;
  count: number;
}

export const WHOLE: Part = { index: 0, count: 1 };

export const partsOf = (count: number): Part[] => Array.from({ length: count }, (_, index) => ({ index, count }));

export const isInPart = (key: Bytes, { index, count }: Part): boolean => count === 1 || crc32(key) % count === index;

/** Lengths are kept up to 2 MiB, beyond that modulo 2 MiB: the sum stays exact in a double. */
export const printOf = (value: Bytes): number => crc32(value) + (value.length % 2 ** 21) * 2 ** 32;

export async function* printed(
  pages: AsyncIterable<readonly RawEntry[]>,
  part: Part = WHOLE,
): AsyncGenerator<readonly Printed[]> {
  for await (const page of pages) {
    const mine = part.count === 1 ? page : page.filter(({ key }) => isInPart(key, part));
    yield mine.map(({ key, value }) => ({ key, print: printOf(value) }));
  }
}

/** A state that can be compared: its prints, in so many parts. */
export interface ComparableState {
  readonly parts: readonly Part[];
  prints(part: Part): AsyncIterable<readonly Printed[]>;
  close(): Promise<void>;
}

/** The names of all entries that differ, in byte order. Only these are in memory. */
export async function diffStates(from: ComparableState, to: ComparableState): Promise<StateDiff> {
  const found: Record<Difference, Bytes[]> = { onlyRight: [], changed: [], onlyLeft: [] };
  const { parts } = from.parts.length > to.parts.length ? from : to;
  for (const part of parts) {
    await compareEntries(from.prints(part), to.prints(part), (kind, key) => found[kind].push(Buffer.from(key)));
  }
  const names = (keys: Bytes[]) => keys.sort(compareBytes).flatMap((key) => decodeKey(key) ?? []);
  return { added: names(found.onlyRight), changed: names(found.changed), removed: names(found.onlyLeft) };
}

export interface Comparison {
  same: number;
  changed: number;
  onlyLeft: number;
  onlyRight: number;
}

export type Difference = 'changed' | 'onlyLeft' | 'onlyRight';

export const isEqual = ({ changed, onlyLeft, onlyRight }: Comparison): boolean => changed + onlyLeft + onlyRight === 0;

export const sumOf = (a: Comparison, b: Comparison): Comparison => ({
  same: a.same + b.same,
  changed: a.changed + b.changed,
  onlyLeft: a.onlyLeft + b.onlyLeft,
  onlyRight: a.onlyRight + b.onlyRight,
});

export const NOTHING_COMPARED: Comparison = { same: 0, changed: 0, onlyLeft: 0, onlyRight: 0 };

/** Walks two states in step, both in byte order of their keys; one page of each is in memory. */
export async function compareEntries(
  left: AsyncIterable<readonly Printed[]>,
  right: AsyncIterable<readonly Printed[]>,
  onDifference?: (kind: Difference, key: Bytes) => void,
): Promise<Comparison> {
  const counts = { ...NOTHING_COMPARED };
  const [a, b] = [new Cursor(left), new Cursor(right)];
  const tell = (kind: Difference, key: Bytes) => {
    counts[kind]++;
    onDifference?.(kind, key);
  };
  try {
    while ((a.ready || (await a.load())) && (b.ready || (await b.load()))) {
      const order = compareBytes(a.entry.key, b.entry.key);
      if (order < 0) tell('onlyLeft', a.take().key);
      else if (order > 0) tell('onlyRight', b.take().key);
      else if (a.take().print === b.entry.print) {
        b.take();
        counts.same++;
      } else tell('changed', b.take().key);
    }
    for (; a.ready || (await a.load()); ) tell('onlyLeft', a.take().key);
    for (; b.ready || (await b.load()); ) tell('onlyRight', b.take().key);
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
  return counts;
}

/** One entry after the other out of pages, without a promise for each. */
class Cursor {
  readonly #pages: AsyncIterator<readonly Printed[]>;
  #page: readonly Printed[] = [];
  #at = 0;

  constructor(pages: AsyncIterable<readonly Printed[]>) {
    this.#pages = pages[Symbol.asyncIterator]();
  }

  get ready(): boolean {
    return this.#at < this.#page.length;
  }

  get entry(): Printed {
    return this.#page[this.#at]!;
  }

  take(): Printed {
    return this.#page[this.#at++]!;
  }

  /** Resolves with whether there is another entry. */
  async load(): Promise<boolean> {
    while (!this.ready) {
      const next = await this.#pages.next();
      if (next.done) return false;
      this.#page = next.value;
      this.#at = 0;
    }
    return true;
  }

  async close(): Promise<void> {
    await this.#pages.return?.();
  }
}
