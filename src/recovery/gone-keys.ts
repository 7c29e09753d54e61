import type { RawEntry } from '../state/types.js';
import { type Bytes, compareBytes } from '../util/bytes.js';

/** Counts the keys that are in one state and not in another, while the entries of that other one pass by; both in byte order. */
export class GoneKeys {
  /** So far; when all have passed, of both states whole. */
  count = 0;
  readonly #keys: AsyncIterator<readonly RawEntry[]>;
  #page: readonly RawEntry[] = [];
  #at = 0;
  #isOver = false;

  constructor(keys: AsyncIterable<readonly RawEntry[]>) {
    this.#keys = keys[Symbol.asyncIterator]();
  }

  async *passing(entries: AsyncIterable<readonly RawEntry[]>): AsyncGenerator<readonly RawEntry[]> {
    try {
      for await (const page of entries) {
        for (const { key } of page) while (!this.#pass(key)) await this.#load();
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

  /** Passes the keys up to `key`; false where the next page may hold some of them. */
  #pass(key: Bytes): boolean {
    for (; this.#at < this.#page.length; this.#at++) {
      const order = compareBytes(this.#page[this.#at]!.key, key);
      if (order > 0) return true;
      if (order < 0) this.count++;
    }
    return this.#isOver;
  }

  async #load(): Promise<void> {
    const next = await this.#keys.next();
    this.#isOver = next.done === true;
    [this.#page, this.#at] = [next.done === true ? [] : next.value, 0];
  }
}
