import { createHash } from 'node:crypto';
import { type Bytes, compareBytes, copyBytes, equalBytes } from '../util/bytes.js';
import { crc32Of } from '../util/hash.js';
import type { BackendOperation } from './backend.js';
import { CRC_BYTES, concat, PREFIX_BYTES, SEAL_BYTES, SEQ_BYTES } from './layout.js';
import { type PackedPage, unpackPage } from './packed-page.js';
import type { RawWrite } from './types.js';

/** The checksums of entries in a row, as one digest: two rows are the same entries in the same order where theirs are equal. */
export class Checksums {
  readonly #hash = createHash('sha256');

  add(checksums: readonly number[]): void {
    this.#hash.update(Uint32Array.from(checksums));
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
export function sealPage(prefix: Bytes, entries: readonly RawWrite[], checksums: Checksums): SealedPage {
  const bytes = Buffer.allocUnsafeSlow(entries.reduce((sum, write) => sum + storedBytes(write), 0));
  const lengths = new Uint32Array(2 * entries.length);
  const sums: number[] = [];
  let isAscending = true;
  let last: Bytes | undefined;
  let at = 0;
  for (let i = 0; i < entries.length; i++) {
    const { key, value } = entries[i]!;
    isAscending &&= value !== null && (last === undefined || compareBytes(last, key) < 0);
    last = key;
    const rawAt = at + PREFIX_BYTES;
    copyBytes(prefix, 0, PREFIX_BYTES, bytes, at);
    copyBytes(key, 0, key.length, bytes, rawAt);
    at = rawAt + key.length;
    lengths[2 * i] = PREFIX_BYTES + key.length;
    if (value === null) continue;
    bytes.fill(0, at, at + SEQ_BYTES);
    bytes.set(value, at + SEQ_BYTES);
    const end = at + SEQ_BYTES + value.length;
    const sum = crc32Of(bytes, rawAt, end);
    bytes.writeUInt32BE(sum, end);
    sums.push(sum);
    at = end + CRC_BYTES;
    lengths[2 * i + 1] = SEAL_BYTES + value.length;
  }
  checksums.add(sums);
  return { bytes, lengths, isAscending, lastKey: concat(prefix, last ?? NO_BYTES) };
}

/** What writes a page by a commit. */
export const operationsOf = (page: PackedPage): BackendOperation[] =>
  unpackPage(page).map(([key, value]) => (value.length === 0 ? { type: 'del', key } : { type: 'put', key, value }));

const NO_BYTES: Bytes = new Uint8Array(0);

const storedBytes = ({ key, value }: RawWrite): number =>
  PREFIX_BYTES + key.length + (value === null ? 0 : SEAL_BYTES + value.length);
