import { type Bytes, compareRanges } from '../util/bytes.js';
import type { RawEntry } from './types.js';

/**
 * Entries where they lie in one block of bytes, in byte order of their keys. For who has many: an object and two views for each would cost
 * more than what is done with it.
 */
export class EntryPage {
  readonly bytes: Bytes;
  /** Three numbers for each entry: where its key begins, where its value does, which follows it, and where that ends. */
  readonly spans: Uint32Array;

  constructor(bytes: Bytes, spans: Uint32Array) {
    this.bytes = bytes;
    this.spans = spans;
  }

  get length(): number {
    return this.spans.length / 3;
  }

  key(i: number): Bytes {
    return this.#view(this.spans[3 * i]!, this.spans[3 * i + 1]!);
  }

  /** Compares the key of entry `i` with another one, in byte order. */
  compareKey(i: number, other: Bytes): number {
    return compareRanges(this.bytes, this.spans[3 * i]!, this.spans[3 * i + 1]!, other, 0, other.length);
  }

  entries(): RawEntry[] {
    const entries: RawEntry[] = [];
    for (let i = 0; i < this.length; i++)
      entries.push({ key: this.key(i), value: this.#view(this.spans[3 * i + 1]!, this.spans[3 * i + 2]!) });
    return entries;
  }

  #view(start: number, end: number): Bytes {
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + start, end - start);
  }
}
