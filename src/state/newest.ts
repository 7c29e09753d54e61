import type { Bytes } from '../util/bytes.js';
import type { SegmentBuilder } from './history.js';

const FIRST_SLOTS = 64;
/** Words of an entry: the hash of its name, where its newest change has its key in the segment, and which change of the segment that is. */
const WORDS = 3;

/**
 * Which change of a segment under construction is the newest of each key: a hash table (open addressing, linear probing) over the segment's
 * own bytes, so that nothing is made for a change of a key that is there.
 */
export class NewestChanges {
  readonly #segment: SegmentBuilder;
  /** Numbers of entries, from 1 on; 0: none. */
  #slots = new Int32Array(FIRST_SLOTS);
  #entries = new Int32Array((FIRST_SLOTS / 2) * WORDS);
  #size = 0;

  constructor(segment: SegmentBuilder) {
    this.#segment = segment;
  }

  /** How many keys have changes. */
  get size(): number {
    return this.#size;
  }

  /** Takes note of the segment's last change. @param at where its key lies */
  note(hash: number, at: number): void {
    const { bytes, count } = this.#segment;
    const slot = this.#find(hash, bytes, at, this.#segment.keyBytesAt(at));
    let entry = this.#slots[slot]!;
    if (entry === 0) {
      entry = ++this.#size;
      this.#slots[slot] = entry;
      this.#entries[(entry - 1) * WORDS] = hash;
      if (2 * entry >= this.#slots.length) this.#grow();
    }
    this.#entries[(entry - 1) * WORDS + 1] = at;
    this.#entries[(entry - 1) * WORDS + 2] = count - 1;
  }

  /** Which entry is that of a raw key; -1 where there is none. */
  indexOf(hash: number, raw: Bytes): number {
    return this.#slots[this.#find(hash, raw, 0, raw.length)]! - 1;
  }

  /** Where the key of the newest change of entry `index` lies in the segment. */
  keyAt = (index: number): number => this.#entries[index * WORDS + 1]!;

  /** Which change of the segment it is, counted from 0. */
  changeAt = (index: number): number => this.#entries[index * WORDS + 2]!;

  /** The slot of the entry whose key is `bytes[at..at + length)`, or the free one where it would be. */
  #find(hash: number, bytes: Bytes, at: number, length: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let entry = this.#slots[slot]!; entry !== 0; entry = this.#slots[slot]!) {
      const index = entry - 1;
      if (this.#entries[index * WORDS] === hash && this.#isAt(this.keyAt(index), bytes, at, length)) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #isAt(keyAt: number, bytes: Bytes, at: number, length: number): boolean {
    if (this.#segment.keyBytesAt(keyAt) !== length) return false;
    const own = this.#segment.bytes;
    for (let i = 0; i < length; i++) if (own[keyAt + i] !== bytes[at + i]) return false;
    return true;
  }

  #grow(): void {
    const slots = new Int32Array(2 * this.#slots.length);
    const entries = new Int32Array((slots.length / 2) * WORDS);
    entries.set(this.#entries);
    const mask = slots.length - 1;
    for (let entry = 1; entry <= this.#size; entry++) {
      let slot = entries[(entry - 1) * WORDS]! & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = entry;
    }
    this.#slots = slots;
    this.#entries = entries;
  }
}
