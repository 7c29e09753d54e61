import { type Bytes, copyBytes, equalBytes } from '../util/bytes.js';
import { NAME_BUCKETS, type NameSet } from '../util/name-set.js';

/**
 * What a script writes to the state, on its way from the worker to the host: a ring in shared memory, and beside it the few cells with which
 * both sides tell each other how things stand. One writer, one reader, no locks.
 *
 * A record is one change, lies in one piece, and begins at a multiple of 8:
 *
 * ```
 * length of the scope (32 bits; 0: the same as in the record before; -1: no record, go on at the start of the ring) · of the key (32)
 * · of the value (32; 0: delete) · hash of scope and key (32, `name-hash.ts`) · the time it was made (64-bit float, ms since 1970)
 * · scope · key · value · padding
 * ```
 *
 * A change whose record would be larger than a piece travels in pieces, each at a multiple of 8, too, with a header as long as a record's: -2 (32 bits) ·
 * length of the record (32) · of the piece (32) · bytes of the record, scope included · padding. Put together they are the record; where the last
 * one never comes, because the script was ended, there was no change.
 *
 * Numbers are in the machine's byte order: the memory is never anywhere else.
 */

/** More makes no script faster, but what is in it when a script's time is up must still be written: 20,000 small changes take 40 ms. */
const CAPACITY = 1 << 20;
/** A larger record travels in pieces of this. Several fit the ring, so that one is filled while another one is taken. */
const PIECE_BYTES = CAPACITY >> 2;
/** Longer names the state may refuse, which the script must be told at once. */
const MOST_NAME_BYTES = 32 << 10;
const HEADER_BYTES = 24;
/** Where a record has what; in words, the time in pairs of them. */
const SCOPE_BYTES = 0;
const KEY_BYTES = 1;
const VALUE_BYTES = 2;
const HASH = 3;
const TIME = 2;
const WRAP = -1;
const PIECE = -2;
/** Of a piece. */
const RECORD_BYTES = 1;
const LENGTH_BYTES = 2;
/** What the host takes at once. */
const BATCH_BYTES = 256 << 10;

/** Cells before the bytes. The counts of bytes ever written and taken wrap at 2³², a multiple of the capacity. */
const WRITTEN = 0;
const TAKEN = 1;
/** 1 while the host looks into the ring by itself; else it wants to be woken. */
const AWAKE = 2;
/** 1 once the state took a change no more: nothing goes through the ring any longer. */
const FAILED = 3;
/** Changes whenever anybody but this script changed the state as a whole. */
const EPOCH = 4;
/** Then as many as there are buckets of names: each changes whenever anybody but this script changed the value of a name in it. */
const FIRST_BUCKET = 8;
const CELLS_BYTES = 4 * (FIRST_BUCKET + NAME_BUCKETS);

export const createRingMemory = (): SharedArrayBuffer => new SharedArrayBuffer(CELLS_BYTES + CAPACITY);

const offsetOf = (position: number): number => (position >>> 0) % CAPACITY;

const recordBytes = (scopeBytes: number, keyBytes: number, valueBytes: number): number =>
  (HEADER_BYTES + scopeBytes + keyBytes + valueBytes + 7) & ~7;

abstract class Ring {
  protected readonly cells: Int32Array;
  protected readonly bytes: Uint8Array;
  protected readonly words: Int32Array;
  protected readonly times: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.cells = new Int32Array(memory, 0, CELLS_BYTES / 4);
    this.bytes = new Uint8Array(memory, CELLS_BYTES);
    this.words = new Int32Array(memory, CELLS_BYTES);
    this.times = new Float64Array(memory, CELLS_BYTES);
  }

  /** Bytes written and not yet taken. */
  get pending(): number {
    return (Atomics.load(this.cells, WRITTEN) - Atomics.load(this.cells, TAKEN)) >>> 0;
  }
}

/** The worker's end. */
export class RingWriter extends Ring {
  readonly #wake: () => void;
  /** Only this side changes them, so it need not read them back. */
  #written = 0;
  #scope: Bytes = new Uint8Array();

  /** @param wake tells the host that there is something in the ring */
  constructor(memory: SharedArrayBuffer, wake: () => void) {
    super(memory);
    this.#wake = wake;
  }

  get epoch(): number {
    return Atomics.load(this.cells, EPOCH);
  }

  /** The epoch of each bucket of names. */
  get bucketEpochs(): Int32Array {
    return this.cells.subarray(FIRST_BUCKET);
  }

  /**
   * Adds a change, waiting for the host where the ring is full. False, and no effect, where it cannot go through the ring: its name is too
   * long, or the host has failed.
   */
  put(scope: Bytes, key: Bytes, hash: number, value: Bytes | null): boolean {
    if (scope.length + key.length > MOST_NAME_BYTES) return false;
    const isSameScope = equalBytes(scope, this.#scope);
    const scopeBytes = isSameScope ? 0 : scope.length;
    const valueBytes = value === null ? 0 : value.length;
    const size = recordBytes(scopeBytes, key.length, valueBytes);
    if (size > PIECE_BYTES) return this.#putPieces(scope, key, hash, value!);
    if (!this.#makeRoom(size)) return false;
    const start = offsetOf(this.#written);
    const word = start >> 2;
    this.words[word + SCOPE_BYTES] = scopeBytes;
    this.words[word + KEY_BYTES] = key.length;
    this.words[word + VALUE_BYTES] = valueBytes;
    this.words[word + HASH] = hash;
    this.times[(start >> 3) + TIME] = Date.now();
    const keyAt = start + HEADER_BYTES + scopeBytes;
    if (!isSameScope) {
      this.#scope = scope.slice();
      copyBytes(scope, 0, scopeBytes, this.bytes, start + HEADER_BYTES);
    }
    copyBytes(key, 0, key.length, this.bytes, keyAt);
    if (value !== null) copyBytes(value, 0, valueBytes, this.bytes, keyAt + key.length);
    this.#publish(size);
    return true;
  }

  #putPieces(scope: Bytes, key: Bytes, hash: number, value: Bytes): boolean {
    const head = new Uint8Array(HEADER_BYTES + scope.length + key.length);
    const words = new Int32Array(head.buffer, 0, HEADER_BYTES >> 2);
    words.set([scope.length, key.length, value.length, hash]);
    new Float64Array(head.buffer, 0, HEADER_BYTES >> 3)[TIME] = Date.now();
    head.set(scope, HEADER_BYTES);
    head.set(key, HEADER_BYTES + scope.length);
    const size = recordBytes(scope.length, key.length, value.length);
    for (let from = 0; from < size; from += PIECE_BYTES - HEADER_BYTES)
      if (!this.#putPiece(head, value, size, from, Math.min(from + PIECE_BYTES - HEADER_BYTES, size))) return false;
    this.#scope = scope.slice();
    return true;
  }

  /** The bytes from `from` to `to` of the record that `head` and `value` make. */
  #putPiece(head: Bytes, value: Bytes, size: number, from: number, to: number): boolean {
    const pieceBytes = (HEADER_BYTES + to - from + 7) & ~7;
    if (!this.#makeRoom(pieceBytes)) return false;
    const start = offsetOf(this.#written);
    this.words[start >> 2] = PIECE;
    this.words[(start >> 2) + RECORD_BYTES] = size;
    this.words[(start >> 2) + LENGTH_BYTES] = to - from;
    const at = start + HEADER_BYTES;
    const ofHead = head.subarray(from, to);
    this.bytes.set(ofHead, at);
    const skipped = head.length;
    this.bytes.set(value.subarray(Math.max(0, from - skipped), Math.max(0, to - skipped)), at + ofHead.length);
    this.#publish(pieceBytes);
    return true;
  }

  /** Waits until `size` bytes are free in one piece from where the next record begins. */
  #makeRoom(size: number): boolean {
    const left = CAPACITY - offsetOf(this.#written);
    if (left < size) {
      if (!this.#waitFor(left)) return false;
      this.words[(CAPACITY - left) >> 2] = WRAP;
      this.#publish(left);
    }
    return this.#waitFor(size);
  }

  #waitFor(bytes: number): boolean {
    for (;;) {
      const taken = Atomics.load(this.cells, TAKEN);
      if (Atomics.load(this.cells, FAILED) === 1) return false;
      if (((this.#written - taken) >>> 0) + bytes <= CAPACITY) return true;
      this.#wake();
      Atomics.wait(this.cells, TAKEN, taken);
    }
  }

  #publish(size: number): void {
    this.#written = (this.#written + size) | 0;
    // Stored after the bytes: what the host sees is complete, wherever the worker is stopped.
    Atomics.store(this.cells, WRITTEN, this.#written);
    // In this order, and the host's in the reverse: one of the two always sees what the other did.
    if (Atomics.load(this.cells, AWAKE) === 0 && Atomics.exchange(this.cells, AWAKE, 1) === 0) this.#wake();
  }
}

/**
 * Changes that were taken out of the ring, walked once: `next` moves to the next one, and the fields tell where it lies. An object for each
 * would cost the host more than storing it.
 */
export class RingBatch {
  /** Not shared, and not written to any more. */
  readonly bytes: Bytes;
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  #at = 0;
  /** The same object as long as it is the same scope. */
  scope: Bytes;
  keyAt = 0;
  keyBytes = 0;
  /** It follows its key; 0: deleted. */
  valueBytes = 0;
  /** Of scope and key. */
  hash = 0;
  timeMs = 0;

  /** @param scope of the record before the first one */
  constructor(bytes: Bytes, scope: Bytes) {
    this.bytes = bytes;
    this.scope = scope;
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    this.#times = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length >> 3);
  }

  /** False at the end. */
  next(): boolean {
    const at = this.#at;
    if (at === this.bytes.length) return false;
    const word = at >> 2;
    const scopeBytes = this.#words[word + SCOPE_BYTES]!;
    this.keyAt = at + HEADER_BYTES + scopeBytes;
    this.keyBytes = this.#words[word + KEY_BYTES]!;
    this.valueBytes = this.#words[word + VALUE_BYTES]!;
    this.hash = this.#words[word + HASH]!;
    this.timeMs = this.#times[(at >> 3) + TIME]!;
    if (scopeBytes > 0) this.scope = this.bytes.subarray(at + HEADER_BYTES, this.keyAt);
    this.#at = at + recordBytes(scopeBytes, this.keyBytes, this.valueBytes);
    return true;
  }
}

/** The host's end. */
export class RingReader extends Ring {
  /** Of the last record taken. */
  #scope: Bytes = new Uint8Array();
  /** A record that comes in pieces, and how much of it is there. */
  #record: Bytes | undefined;
  #recordEnd = 0;

  /** Where the writer is. */
  get written(): number {
    return Atomics.load(this.cells, WRITTEN);
  }

  /** The next changes up to `end`, a place where the writer was, copied out of the ring; undefined where all were taken. */
  take(end: number): RingBatch | undefined {
    let from = Atomics.load(this.cells, TAKEN);
    for (;;) {
      if (((end - from) | 0) <= 0) return undefined;
      const kind = this.words[offsetOf(from) >> 2];
      if (kind === WRAP) from += CAPACITY - offsetOf(from);
      else if (kind !== PIECE) break;
      else {
        const record = this.#takePiece(from);
        if (record !== undefined) return new RingBatch(record, this.#scope);
        from = Atomics.load(this.cells, TAKEN);
      }
    }
    const start = offsetOf(from);
    const scope = this.#scope;
    const length = this.#batchBytes(start, (end - from) | 0);
    // One copy in memory that is not shared: the room is free again at once.
    const copy = this.bytes.slice(start, start + length);
    this.#taken(from + length);
    return length === 0 ? undefined : new RingBatch(copy, scope);
  }

  /** The record that it completes. */
  #takePiece(from: number): Bytes | undefined {
    const start = offsetOf(from);
    const length = this.words[(start >> 2) + LENGTH_BYTES]!;
    this.#record ??= new Uint8Array(this.words[(start >> 2) + RECORD_BYTES]!);
    const record = this.#record;
    record.set(this.bytes.subarray(start + HEADER_BYTES, start + HEADER_BYTES + length), this.#recordEnd);
    this.#recordEnd += length;
    this.#taken(from + ((HEADER_BYTES + length + 7) & ~7));
    if (this.#recordEnd < record.length) return undefined;
    this.#record = undefined;
    this.#recordEnd = 0;
    const [scopeBytes = 0] = new Int32Array(record.buffer, 0, 1);
    this.#scope = record.subarray(HEADER_BYTES, HEADER_BYTES + scopeBytes);
    return record;
  }

  /** Of whole records, from `start` on. Keeps the scope of the last one. */
  #batchBytes(start: number, available: number): number {
    const { words } = this;
    let length = 0;
    let scopeAt = -1;
    while (length < available && length < BATCH_BYTES) {
      const at = start + length;
      const word = at >> 2;
      if (at === CAPACITY || words[word]! < 0) break;
      if (words[word + SCOPE_BYTES]! > 0) scopeAt = at;
      length += recordBytes(words[word + SCOPE_BYTES]!, words[word + KEY_BYTES]!, words[word + VALUE_BYTES]!);
    }
    if (scopeAt >= 0) {
      const from = scopeAt + HEADER_BYTES;
      this.#scope = this.bytes.slice(from, from + words[(scopeAt >> 2) + SCOPE_BYTES]!);
    }
    return length;
  }

  /** Leaves it to the writer to wake the host; false where something came meanwhile. */
  sleep(): boolean {
    Atomics.store(this.cells, AWAKE, 0);
    if (this.pending === 0) return true;
    Atomics.store(this.cells, AWAKE, 1);
    return false;
  }

  /** Drops what is there, and lets nothing more in. */
  fail(): void {
    Atomics.store(this.cells, FAILED, 1);
    this.#taken(this.written);
  }

  /** Tells the script that somebody else changed the values of these names; without names: the state as a whole. */
  nextEpoch(names?: NameSet): void {
    if (names === undefined) Atomics.add(this.cells, EPOCH, 1);
    else for (const bucket of names.buckets) Atomics.add(this.cells, FIRST_BUCKET + bucket, 1);
  }

  #taken(position: number): void {
    Atomics.store(this.cells, TAKEN, position | 0);
    Atomics.notify(this.cells, TAKEN);
  }
}
