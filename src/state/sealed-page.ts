import { createHash } from 'node:crypto';
import { type Bytes, compareBytes, copyBytes, equalBytes } from '../util/bytes.js';
import { crc32Of } from '../util/hash.js';
import type { BackendOperation } from './backend.js';
import { EntryPage } from './entry-page.js';
import { CRC_BYTES, PREFIX_BYTES, SEAL_BYTES, SEQ_BYTES } from './layout.js';
import { type PackedPage, unpackPage } from './packed-page.js';
import type { RawWrite } from './types.js';

/** The checksums of entries in a row, as one digest: two rows are the same entries in the same order where theirs are equal. */
export class Checksums {
  readonly #hash = createHash('sha256');

  add(checksums: Uint32Array): void {
    this.#hash.update(checksums);
  }

  equals(other: Checksums): boolean {
    return equalBytes(this.#hash.copy().digest(), other.#hash.copy().digest());
  }
}

/** A page of entries as the backend keeps them. What is to be removed has a value of no bytes, which no sealed one is. */
export interface SealedPage extends PackedPage {
  /** Whether it holds nothing but entries, the keys ascending. */
  isAscending: boolean;
  /** The key that the last one has in the backend. */
  lastKey: Bytes;
}

/**
 * Seals entries with the number 0 (`layout.ts`), under the prefix of their generation. Adds the CRC-32 of each, taken from the bytes as they
 * are written, to `checksums`.
 */
export function sealPage(prefix: Bytes, entries: EntryPage | readonly RawWrite[], checksums: Checksums): SealedPage {
  const page = entries instanceof EntryPage ? sealEntries(prefix, entries) : sealWrites(prefix, entries);
  checksums.add(page.checksums.subarray(0, page.count));
  return page.finish();
}

function sealEntries(prefix: Bytes, { bytes, length, spans }: EntryPage): Sealing {
  const page = new Sealing(prefix, length, spans[3 * length - 1]! - spans[0]!);
  for (let i = 0; i < length; i++)
    page.put(bytes, spans[3 * i]!, spans[3 * i + 1]!, bytes, spans[3 * i + 1]!, spans[3 * i + 2]!);
  return page;
}

function sealWrites(prefix: Bytes, entries: readonly RawWrite[]): Sealing {
  const contentBytes = entries.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
  const page = new Sealing(prefix, entries.length, contentBytes);
  let last: Bytes | undefined;
  for (const { key, value } of entries) {
    if (value === null || (last !== undefined && compareBytes(last, key) >= 0)) page.isAscending = false;
    last = key;
    if (value === null) page.delete(key);
    else page.put(key, 0, key.length, value, 0, value.length);
  }
  return page;
}

/** A page under construction, in memory of its own. */
class Sealing {
  isAscending = true;
  readonly checksums: Uint32Array;
  count = 0;
  readonly #prefix: Bytes;
  readonly #bytes: Bytes;
  readonly #lengths: Uint32Array;
  #entries = 0;
  #at = 0;
  #keyAt = 0;

  /** @param contentBytes of keys and values together, at most */
  constructor(prefix: Bytes, entries: number, contentBytes: number) {
    this.#prefix = prefix;
    // Not a Buffer, of which to make a view takes longer.
    this.#bytes = new Uint8Array(Buffer.allocUnsafeSlow(contentBytes + entries * (PREFIX_BYTES + SEAL_BYTES)).buffer);
    this.#lengths = new Uint32Array(2 * entries);
    this.checksums = new Uint32Array(entries);
  }

  delete(key: Bytes): void {
    this.#key(key, 0, key.length);
    this.#entries++;
  }

  /** The key `keys[keyStart..keyEnd)` with the value `values[valueStart..valueEnd)`. */
  put(keys: Bytes, keyStart: number, keyEnd: number, values: Bytes, valueStart: number, valueEnd: number): void {
    const bytes = this.#bytes;
    const rawAt = this.#key(keys, keyStart, keyEnd);
    let at = this.#at;
    for (let i = 0; i < SEQ_BYTES; i++) bytes[at++] = 0;
    copyBytes(values, valueStart, valueEnd, bytes, at);
    at += valueEnd - valueStart;
    const sum = crc32Of(bytes, rawAt, at);
    this.checksums[this.count++] = sum;
    bytes[at] = sum >>> 24;
    bytes[at + 1] = sum >>> 16;
    bytes[at + 2] = sum >>> 8;
    bytes[at + 3] = sum;
    this.#at = at + CRC_BYTES;
    this.#lengths[2 * this.#entries++ + 1] = SEAL_BYTES + valueEnd - valueStart;
  }

  /** Returns where the raw key lies. */
  #key(keys: Bytes, start: number, end: number): number {
    const rawAt = this.#at + PREFIX_BYTES;
    this.#keyAt = this.#at;
    copyBytes(this.#prefix, 0, PREFIX_BYTES, this.#bytes, this.#at);
    copyBytes(keys, start, end, this.#bytes, rawAt);
    this.#at = rawAt + end - start;
    this.#lengths[2 * this.#entries] = PREFIX_BYTES + end - start;
    return rawAt;
  }

  finish(): SealedPage {
    const lastKey = this.#bytes.subarray(this.#keyAt, this.#keyAt + this.#lengths.at(-2)!);
    const bytes = this.#bytes.subarray(0, this.#at);
    return { bytes, lengths: this.#lengths, isAscending: this.isAscending, lastKey: Buffer.from(lastKey) };
  }
}

/** What writes a page by a commit. */
export const operationsOf = (page: PackedPage): BackendOperation[] =>
  unpackPage(page).map(([key, value]) => (value.length === 0 ? { type: 'del', key } : { type: 'put', key, value }));
