import { type Bytes, copyBytes } from '../util/bytes.js';
import { Views } from '../util/views.js';

const FIRST_BYTES = 64 << 10;
const FIRST_SLOTS = 1024;
const HEADER_WORDS = 5;
/** Words of an entry's header. */
const HASH = 0;
const SCOPE_BYTES = 1;
const KEY_BYTES = 2;
/** How long its value may become in place. */
const ROOM_BYTES = 3;
/** Or {@link ABSENT}, or {@link UNKNOWN}. */
const VALUE_BYTES = 4;
const ABSENT = -1;
const UNKNOWN = -2;
/** Any number fits. */
const LEAST_ROOM_BYTES = 12;

const aligned = (bytes: number): number => (bytes + 3) & ~3;

/**
 * What a script knows of the state: values by scope and key, in bounded memory. A hash table (open addressing, linear probing) of entries
 * in one block of bytes: nothing is allocated on the way, and a lookup makes no strings. When the block has grown to its
 * limit, everything is forgotten. Whoever asks brings the hash of the name (`hashOfName`).
 */
export class View {
  readonly #mostBytes: number;
  #bytes = new Uint8Array(FIRST_BYTES);
  #words = new Int32Array(this.#bytes.buffer);
  /** Where entries begin, in words; 0: nothing. */
  #slots = new Int32Array(FIRST_SLOTS);
  #count = 0;
  readonly #views = new Views();
  /** In bytes. Not from 0: that place means nothing. */
  #end = 4;

  constructor(mostBytes = 32 << 20) {
    this.#mostBytes = mostBytes;
  }

  /** The value, good until the next call; null: it is known that there is none; undefined: not known. */
  get(scope: Bytes, key: Bytes, hash: number): Bytes | null | undefined {
    const entry = this.#slots[this.#find(scope, key, hash)]!;
    if (entry === 0) return undefined;
    const length = this.#words[entry + VALUE_BYTES]!;
    if (length < 0) return length === ABSENT ? null : undefined;
    return this.#views.of(this.#bytes, this.#valueAt(entry), length);
  }

  /** `value` null: there is none. */
  put(scope: Bytes, key: Bytes, hash: number, value: Bytes | null): void {
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
    this.#words[entry + VALUE_BYTES] = value === null ? ABSENT : value.length;
    if (value !== null) copyBytes(value, 0, value.length, this.#bytes, this.#valueAt(entry));
  }

  forget(scope: Bytes, key: Bytes, hash: number): void {
    const entry = this.#slots[this.#find(scope, key, hash)]!;
    if (entry !== 0) this.#words[entry + VALUE_BYTES] = UNKNOWN;
  }

  clear(): void {
    if (this.#count === 0) return;
    this.#slots = new Int32Array(FIRST_SLOTS);
    this.#count = 0;
    this.#end = 4;
  }

  #valueAt(entry: number): number {
    return 4 * (entry + HEADER_WORDS) + this.#words[entry + SCOPE_BYTES]! + this.#words[entry + KEY_BYTES]!;
  }

  /** The slot of the entry, or the free one where it would be. */
  #find(scope: Bytes, key: Bytes, hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let entry = this.#slots[slot]!; entry !== 0; entry = this.#slots[slot]!) {
      if (this.#words[entry + HASH] === hash && this.#isOf(entry, scope, key)) break;
      slot = (slot + 1) & mask;
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
    words[entry + HASH] = hash;
    words[entry + SCOPE_BYTES] = scope.length;
    words[entry + KEY_BYTES] = key.length;
    words[entry + ROOM_BYTES] = room;
    copyBytes(scope, 0, scope.length, this.#bytes, this.#end + 4 * HEADER_WORDS);
    copyBytes(key, 0, key.length, this.#bytes, this.#end + 4 * HEADER_WORDS + scope.length);
    if (this.#slots[slot] === 0) this.#count++;
    this.#slots[slot] = entry;
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
    if (2 * this.#count < this.#slots.length) return false;
    this.#spread();
    return true;
  }

  #spread(): void {
    const before = this.#slots;
    this.#slots = new Int32Array(2 * before.length);
    const mask = this.#slots.length - 1;
    for (const entry of before) {
      if (entry === 0) continue;
      let slot = this.#words[entry + HASH]! & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = entry;
    }
  }
}
