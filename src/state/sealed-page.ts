import { createHash } from 'node:crypto';
import { type Bytes, copyBytes, equalBytes } from '../util/bytes.js';
import { crc32 } from '../util/hash.js';
import type { BackendOperation } from './backend.js';
import { CRC_BYTES, PREFIX_BYTES, SEAL_BYTES, SEQ_BYTES } from './layout.js';
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

/**
 * The operations that write a page of entries, each sealed with the number 0 (`layout.ts`). All of them are slices of one block: memory
 * for each would cost more than what is done with it.
 */
export function sealPage(prefix: Bytes, page: readonly RawWrite[], checksums: Checksums): BackendOperation[] {
  const block = Buffer.allocUnsafeSlow(page.reduce((sum, write) => sum + storedBytes(write), 0));
  const sums: number[] = [];
  let at = 0;
  const operations = page.map((write): BackendOperation => {
    const { key: raw, value } = write;
    const rawAt = at + PREFIX_BYTES;
    copyBytes(prefix, 0, PREFIX_BYTES, block, at);
    copyBytes(raw, 0, raw.length, block, rawAt);
    const key = new Uint8Array(block.buffer, at, PREFIX_BYTES + raw.length);
    const valueAt = rawAt + raw.length;
    at += storedBytes(write);
    if (value === null) return { type: 'del', key };
    for (let i = 0; i < SEQ_BYTES; i++) block[valueAt + i] = 0;
    block.set(value, valueAt + SEQ_BYTES);
    const sum = crc32(new Uint8Array(block.buffer, rawAt, at - CRC_BYTES - rawAt));
    block.writeUInt32BE(sum, at - CRC_BYTES);
    sums.push(sum);
    return { type: 'put', key, value: new Uint8Array(block.buffer, valueAt, at - valueAt) };
  });
  checksums.add(sums);
  return operations;
}

const storedBytes = ({ key, value }: RawWrite): number =>
  PREFIX_BYTES + key.length + (value === null ? 0 : SEAL_BYTES + value.length);
