import { type Bytes, copyBytes } from '../util/bytes.js';
import { bucketOf, NAME_BUCKETS } from '../util/name-set.js';
import { Views } from '../util/views.js';

const FIRST_BYTES = 64 << 10;
const FIRST_SLOTS = 1024;
const HEADER_WORDS = 5;
/** Words of an entry's header. */
const SCOPE_BYTES = 0;
const KEY_BYTES = 1;
/** How long its value may become in place. */
const ROOM_BYTES = 2;
/** Or {@link ABSENT}, or {@link UNKNOWN}. */
const VALUE_BYTES = 3;
/** In which the value was true. */
const EPOCH = 4;
const ABSENT = -1;
const UNKNOWN = -2;
/** Any number fits. */
const LEAST_ROOM_BYTES = 12;

const aligned = (bytes: number): number => (bytes + 3) & ~3;

/**
 * What a script knows of the state: values by scope and key, in bounded memory. A hash table (open addressing, linear probing) of entries
 * in one block of bytes: nothing is allocated on the way, and a lookup makes no strings. When the block has grown to its
 * limit, everything is forgotten. Whoever asks brings the hash of the name (`hashOfName`).
 *
 * A value is known as long as the epoch of its name's bucket stands where it stood before the value was asked for.
 */
export class View {
  readonly #mostBytes: number;
  readonly #epochs: Int32Array;
  #bytes = new Uint8Array(FIRST_BYTES);
  #words = new Int32Array(this.#bytes.buffer);
  /** Two words each: where its entry begins, in words (0: nothing), and the hash of its name, so that a look at another one's entry is seldom needed. */
  #slots = new Int32Array(2 * FIRST_SLOTS);
  #count = 0;
  readonly #views = new Views();
  /** In bytes. Not from 0: that place means nothing. */
  #end = 4;

  /** @param epochs one for each bucket of names; others may change them at any time */
  constructor(epochs: Int32Array = new Int32Array(NAME_BUCKETS), mostBytes = 32 << 20) {
    this.#epochs = epochs;
    this.#mostBytes = mostBytes;
  }

  /** The present epoch of a name, by its hash: to be taken before its value is asked for. */
  epochOf(hash: number): number {
    return Atomics.load(this.#epochs, bucketOf(hash));
  }

  /** All of them, into `to`: for what is not known by name before it is asked for. */
  copyEpochs(to: Int32Array): void {
    for (let bucket = 0; bucket < to.length; bucket++) to[bucket] = Atomics.load(this.#epochs, bucket);
  }

  /** The value, good until the next call; null: it is known that there is none; undefined: not known. */
  get(scope: Bytes, key: Bytes, hash: number): Bytes | null | undefined {
    const entry = this.#slots[this.#find(scope, key, hash)]!;
    if (entry === 0) return undefined;
    const length = this.#words[entry + VALUE_BYTES]!;
    if (length === UNKNOWN || this.#words[entry + EPOCH] !== this.epochOf(hash)) return undefined;
    if (length === ABSENT) return null;
    return this.#views.of(this.#bytes, this.#valueAt(entry), length);
  }

  /** `value` null: there is none. It was true in `epoch` of its name. */
  put(scope: Bytes, key: Bytes, hash: number, value: Bytes | null, epoch: number): void {
    const room = aligned(Math.max(value?.length ?? 0, LEAST_ROOM_BYTES));
    const size = 4 * HEADER_WORDS + aligned(scope.length + key.length) + room;
    if (size > this.#mostBytes / 8) {
      this.forget(scope, key, hash);
      return;
    }
    let slot = this.#find(scope, key, hash);
    let entry = this.#slots[slot]!;
    if (entry === 0 || room > this.#words[entry + ROOM_BYTES]!) {
      if (this.#reserve(size)) slot = this.#find(scope, key, hash);
      entry = this.#add(slot, scope, key, hash, room, size);
    }
    this.#words[entry + EPOCH] = epoch;
    this.#words[entry + VALUE_BYTES] = value === null ? ABSENT : value.length;
    if (value !== null) copyBytes(value, 0, value.length, this.#bytes, this.#valueAt(entry));
  }

  forget(scope: Bytes, key: Bytes, hash: number): void {
    const entry = this.#slots[this.#find(scope, key, hash)]!;
    if (entry !== 0) this.#words[entry + VALUE_BYTES] = UNKNOWN;
  }

  clear(): void {
    if (this.#count === 0) return;
    this.#slots = new Int32Array(2 * FIRST_SLOTS);
    this.#count = 0;
    this.#end = 4;
  }

  #valueAt(entry: number): number {
    return 4 * (entry + HEADER_WORDS) + this.#words[entry + SCOPE_BYTES]! + this.#words[entry + KEY_BYTES]!;
  }

  /** Where the slot of the entry begins, or the free one where it would be. */
  #find(scope: Bytes, key: Bytes, hash: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = (hash << 1) & mask;
    for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
      if (slots[slot + 1] === hash && this.#isOf(entry, scope, key)) break;
      slot = (slot + 2) & mask;
    }
    return slot;
  }

  #isOf(entry: number, scope: Bytes, key: Bytes): boolean {
    const words = this.#words;
    if (words[entry + SCOPE_BYTES] !== scope.length || words[entry + KEY_BYTES] !== key.length) return false;
    const at = 4 * (entry + HEADER_WORDS);
    return this.#isAt(at + scope.length, key) && this.#isAt(at, scope);
  }

  #isAt(at: number, name: Bytes): boolean {
    const bytes = this.#bytes;
    for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return false;
    return true;
  }

  /** The new entry takes the slot, also of one whose room is too small. */
  #add(slot: number, scope: Bytes, key: Bytes, hash: number, room: number, size: number): number {
    const entry = this.#end >> 2;
    const words = this.#words;
    words[entry + SCOPE_BYTES] = scope.length;
    words[entry + KEY_BYTES] = key.length;
    words[entry + ROOM_BYTES] = room;
    copyBytes(scope, 0, scope.length, this.#bytes, this.#end + 4 * HEADER_WORDS);
    copyBytes(key, 0, key.length, this.#bytes, this.#end + 4 * HEADER_WORDS + scope.length);
    if (this.#slots[slot] === 0) this.#count++;
    this.#slots[slot] = entry;
    this.#slots[slot + 1] = hash;
    this.#end += size;
    return entry;
  }

  /** Makes room for one more entry; true where slots have moved. */
  #reserve(size: number): boolean {
    if (this.#end + size > this.#bytes.length) {
      if (this.#end + size > this.#mostBytes) {
        this.clear();
        return true;
      }
      const larger = new Uint8Array(Math.min(this.#mostBytes, 2 * (this.#end + size)));
      larger.set(this.#bytes.subarray(0, this.#end));
      this.#bytes = larger;
      this.#words = new Int32Array(larger.buffer, 0, larger.length >> 2);
    }
    // Three quarters of them in use.
    if (8 * this.#count < 3 * this.#slots.length) return false;
    this.#spread();
    return true;
  }

  #spread(): void {
    const before = this.#slots;
    const slots = new Int32Array(2 * before.length);
    const mask = slots.length - 1;
    for (let at = 0; at < before.length; at += 2) {
      if (before[at] === 0) continue;
      let slot = (before[at + 1]! << 1) & mask;
      while (slots[slot] !== 0) slot = (slot + 2) & mask;
      slots[slot] = before[at]!;
      slots[slot + 1] = before[at + 1]!;
    }
    this.#slots = slots;
  }
}
