import type { RawWrite } from '../state/types.js';
import { type Bytes, bytesOfLatin1, compareBytes, latin1Of } from '../util/bytes.js';

/** What has become of a key; undefined where it was deleted. */
export interface Changed<T> {
  key: Bytes;
  entry: T | undefined;
}

/** Entries with changes laid over them, both in byte order. */
export async function* overlaid<T extends { key: Bytes }>(
  base: AsyncIterable<readonly T[]>,
  changes: readonly Changed<T>[],
): AsyncGenerator<readonly T[]> {
  let at = 0;
  for await (const page of base) {
    const out: T[] = [];
    for (const entry of page) {
      let order = -1;
      for (; at < changes.length; at++) {
        order = compareBytes(changes[at]!.key, entry.key);
        if (order >= 0) break;
        addIfThere(out, changes[at]!);
      }
      if (at === changes.length || order > 0) out.push(entry);
    }
    yield out;
  }
  const rest: T[] = [];
  for (const change of changes.slice(at)) addIfThere(rest, change);
  yield rest;
}

function addIfThere<T>(out: T[], { entry }: Changed<T>): void {
  if (entry !== undefined) out.push(entry);
}

/** What the keys up to `upTo` (all that are left where it is absent), and after those of the window before, have become; in byte order. */
export interface Window {
  changes: readonly Changed<{ key: Bytes; value: Bytes }>[];
  upTo: Bytes | undefined;
}

/**
 * The newest change of each key, in byte order of the keys, window by window; a window takes `heldBytes`, and at least one key. The
 * changes are read once for each window.
 */
export async function* newestInWindows(
  read: () => AsyncIterable<readonly RawWrite[]>,
  heldBytes: number,
): AsyncGenerator<Window> {
  for (let after: string | undefined; ; ) {
    const newest = new Newest(after, heldBytes);
    for await (const page of read()) for (const write of page) newest.take(write);
    const { window, last } = newest.finish();
    yield window;
    if (window.upTo === undefined) return;
    after = last;
  }
}

/** What an entry takes beside its key and its value, about. */
const ENTRY_BYTES = 100;

class Newest {
  readonly #after: string | undefined;
  readonly #heldBytes: number;
  readonly #byName = new Map<string, Bytes | null>();
  #upTo: string | undefined;
  #bytes = 0;

  constructor(after: string | undefined, heldBytes: number) {
    this.#after = after;
    this.#heldBytes = heldBytes;
  }

  take({ key, value }: RawWrite): void {
    const name = latin1Of(key);
    if ((this.#after !== undefined && name <= this.#after) || (this.#upTo !== undefined && name > this.#upTo)) return;
    const before = this.#byName.get(name);
    this.#bytes += before === undefined ? sizeOf(name, value) : sizeOf(name, value) - sizeOf(name, before);
    // A copy: what it is a part of is a whole chunk.
    this.#byName.set(name, value && Buffer.from(value));
    if (this.#bytes > this.#heldBytes) this.#halve();
  }

  finish(): { window: Window; last: string | undefined } {
    const names = [...this.#byName.keys()].sort();
    const changes = names.map((name) => {
      const [key, value] = [bytesOfLatin1(name), this.#byName.get(name)];
      return { key, entry: value ? { key, value } : undefined };
    });
    const upTo = this.#upTo === undefined ? undefined : bytesOfLatin1(this.#upTo);
    return { window: { changes, upTo }, last: this.#upTo };
  }

  /** Leaves the higher keys to a later window. One key alone stays, however large. */
  #halve(): void {
    const names = [...this.#byName.keys()].sort();
    let kept = 0;
    for (const [index, name] of names.entries()) {
      const bytes = sizeOf(name, this.#byName.get(name)!);
      if (index === 0 || kept + bytes <= this.#heldBytes / 2) {
        this.#upTo = name;
        kept += bytes;
      } else {
        for (const higher of names.slice(index)) this.#byName.delete(higher);
        break;
      }
    }
    this.#bytes = kept;
  }
}

const sizeOf = (name: string, value: Bytes | null): number => ENTRY_BYTES + name.length + (value?.length ?? 0);

/** Pages in byte order of their keys, handed out piece by piece. */
export class SplitPages<T extends { key: Bytes }> {
  readonly #pages: AsyncIterator<readonly T[]>;
  #left: readonly T[] = [];
  #isOver = false;

  constructor(pages: AsyncIterable<readonly T[]>) {
    this.#pages = pages[Symbol.asyncIterator]();
  }

  /** What is left up to a key and with it, or all that is left. */
  async *upTo(key: Bytes | undefined): AsyncGenerator<readonly T[]> {
    while (!this.#isOver) {
      if (this.#left.length === 0) await this.#load();
      const end = key ? this.#left.findIndex((entry) => compareBytes(entry.key, key) > 0) : -1;
      const page = end < 0 ? this.#left : this.#left.slice(0, end);
      this.#left = end < 0 ? [] : this.#left.slice(end);
      if (page.length > 0) yield page;
      if (end >= 0) return;
    }
  }

  async close(): Promise<void> {
    await this.#pages.return?.();
  }

  async #load(): Promise<void> {
    const next = await this.#pages.next();
    this.#isOver = next.done === true;
    this.#left = next.done ? [] : next.value;
  }
}
