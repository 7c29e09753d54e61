import { type Bytes, compareBytes } from '../../../util/bytes.js';
import type { BackendEntry } from '../../backend.js';

type Pages = AsyncIterable<readonly BackendEntry[]>;

/** Two rows of entries as one, in order; where both have a key, the entry of `upper`. */
export async function* merged(upper: Pages, lower: Pages, isReverse: boolean): Pages {
  const order = isReverse ? (a: Bytes, b: Bytes) => compareBytes(b, a) : compareBytes;
  const [above, below] = [new Cursor(upper), new Cursor(lower)];
  try {
    for (;;) {
      await Promise.all([above.load(), below.load()]);
      if (above.isOver || below.isOver) break;
      // Mostly one of them has nothing to say for long: then its neighbour's page goes through as it is.
      if (order(above.lastKey, below.key) < 0) yield above.takePage();
      else if (order(below.lastKey, above.key) < 0) yield below.takePage();
      else yield takeBoth(above, below, order);
    }
    for (const rest of [above, below]) for (; !rest.isOver; await rest.load()) yield rest.takePage();
  } finally {
    await Promise.all([above.close(), below.close()]);
  }
}

/** Until one of the pages is used up. */
function takeBoth(above: Cursor, below: Cursor, order: (a: Bytes, b: Bytes) => number): BackendEntry[] {
  const taken: BackendEntry[] = [];
  while (!above.isDrained && !below.isDrained) {
    const which = order(above.key, below.key);
    taken.push(which <= 0 ? above.take() : below.take());
    if (which === 0) below.take();
  }
  return taken;
}

/** Entries whose keys are not among `names`, which are in the same order. */
export async function* without(pages: Pages, names: Pages, isReverse: boolean): Pages {
  const order = isReverse ? (a: Bytes, b: Bytes) => compareBytes(b, a) : compareBytes;
  const gone = new Cursor(names);
  try {
    for await (const page of pages) {
      const kept: BackendEntry[] = [];
      for (const entry of page) {
        if (gone.isBehind(entry[0], order)) await gone.skipTo(entry[0], order);
        if (gone.isOver || order(gone.key, entry[0]) !== 0) kept.push(entry);
      }
      if (kept.length > 0) yield kept;
    }
  } finally {
    await gone.close();
  }
}

/** The first `limit` of them. */
export async function* limited(pages: Pages, limit: number): Pages {
  let left = limit;
  if (left <= 0) return;
  for await (const page of pages) {
    yield page.length > left ? page.slice(0, left) : page;
    left -= page.length;
    if (left <= 0) return;
  }
}

class Cursor {
  readonly #pages: AsyncIterator<readonly BackendEntry[]>;
  #page: readonly BackendEntry[] = [];
  #at = 0;
  isOver = false;

  constructor(pages: Pages) {
    this.#pages = pages[Symbol.asyncIterator]();
  }

  get isDrained(): boolean {
    return this.#at === this.#page.length;
  }

  get key(): Bytes {
    return this.#page[this.#at]![0];
  }

  get lastKey(): Bytes {
    return this.#page.at(-1)![0];
  }

  /** Makes an entry the present one, unless it is over. */
  async load(): Promise<void> {
    if (!this.isDrained || this.isOver) return;
    const next = await this.#pages.next();
    this.isOver = next.done === true;
    [this.#page, this.#at] = [next.done === true ? [] : next.value, 0];
  }

  take(): BackendEntry {
    return this.#page[this.#at++]!;
  }

  takePage(): readonly BackendEntry[] {
    const page = this.#at === 0 ? this.#page : this.#page.slice(this.#at);
    this.#at = this.#page.length;
    return page;
  }

  isBehind(key: Bytes, order: (a: Bytes, b: Bytes) => number): boolean {
    return !this.isOver && (this.isDrained || order(this.key, key) < 0);
  }

  /** Passes all keys before `key`. */
  async skipTo(key: Bytes, order: (a: Bytes, b: Bytes) => number): Promise<void> {
    while (!this.isOver) {
      while (!this.isDrained && order(this.key, key) < 0) this.#at++;
      if (!this.isDrained) return;
      await this.load();
    }
  }

  async close(): Promise<void> {
    await this.#pages.return?.();
  }
}
