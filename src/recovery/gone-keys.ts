import type { EntryPage } from '../state/entry-page.js';
import type { RawEntry } from '../state/types.js';
import { compareBytes } from '../util/bytes.js';

/** Counts those of some keys that are not in a state, while the entries of that pass by; both in byte order. */
export class GoneKeys {
  /** So far; when all have passed, of all. */
  count = 0;
  readonly #keys: AsyncIterator<readonly Pick<RawEntry, 'key'>[]>;
  #page: readonly Pick<RawEntry, 'key'>[] = [];
  #at = 0;
  #isOver = false;

  constructor(keys: AsyncIterable<readonly Pick<RawEntry, 'key'>[]>) {
    this.#keys = keys[Symbol.asyncIterator]();
  }

  async *passing<Page extends EntryPage | readonly RawEntry[]>(pages: AsyncIterable<Page>): AsyncGenerator<Page> {
    try {
      for await (const page of pages) {
        for (let i = 0; i < page.length; i++) while (!this.#pass(page, i)) await this.#load();
        yield page;
      }
      while (!this.#isOver) {
        this.count += this.#page.length - this.#at;
        await this.#load();
      }
    } finally {
      await this.#keys.return?.();
    }
  }

  /** Passes the keys up to that of entry `i`; false where the next page may hold some of them. */
  #pass(page: EntryPage | readonly RawEntry[], i: number): boolean {
    for (; this.#at < this.#page.length; this.#at++) {
      const { key } = this.#page[this.#at]!;
      const order = 'spans' in page ? page.compareKey(i, key) : compareBytes(page[i]!.key, key);
      if (order < 0) return true;
      if (order > 0) this.count++;
    }
    return this.#isOver;
  }

  async #load(): Promise<void> {
    const next = await this.#keys.next();
    this.#isOver = next.done === true;
    [this.#page, this.#at] = [next.done === true ? [] : next.value, 0];
  }
}
