import { decodeKey } from '../state/key.js';
import type { Change, RawEntry } from '../state/types.js';
import { compareBytes, equalBytes } from '../util/bytes.js';

type Pages = AsyncIterable<readonly RawEntry[]>;

/** The changes that lead from one state to another, both in byte order of their keys; one page of each is in memory. */
export async function* changesBetween(from: Pages, to: Pages): AsyncGenerator<readonly Change[]> {
  const target = new Cursor(to);
  try {
    for await (const page of from) {
      const changes: Change[] = [];
      for (const entry of page) {
        let next = await target.peek();
        for (; next && compareBytes(next.key, entry.key) < 0; next = await target.peek())
          changes.push(put(target.take()));
        const isThere = next !== undefined && equalBytes(next.key, entry.key);
        if (!isThere) changes.push({ ...nameOf(entry), value: null });
        else if (!equalBytes(target.take().value, entry.value)) changes.push(put(next!));
      }
      if (changes.length > 0) yield changes;
    }
    while ((await target.peek()) !== undefined) yield [put(target.take())];
  } finally {
    await target.close();
  }
}

const nameOf = ({ key: raw }: RawEntry) => decodeKey(raw)!;
const put = (entry: RawEntry): Change => ({ ...nameOf(entry), value: entry.value });

class Cursor {
  readonly #pages: AsyncIterator<readonly RawEntry[]>;
  #page: readonly RawEntry[] = [];
  #at = 0;

  constructor(pages: Pages) {
    this.#pages = pages[Symbol.asyncIterator]();
  }

  /** A promise only where the page is at its end. */
  peek(): RawEntry | undefined | Promise<RawEntry | undefined> {
    return this.#page[this.#at] ?? this.#load();
  }

  take(): RawEntry {
    return this.#page[this.#at++]!;
  }

  async close(): Promise<void> {
    await this.#pages.return?.();
  }

  async #load(): Promise<RawEntry | undefined> {
    const next = await this.#pages.next();
    this.#page = next.done ? [] : next.value;
    this.#at = 0;
    return this.#page[0];
  }
}
