import { type Bytes, compareRanges } from '../../../util/bytes.js';
import { crc32 } from '../../../util/hash.js';
import type { PackedPage } from '../../packed-page.js';
import { FilterBuilder } from './filter.js';

/**
 * A table: entries of one range in byte order of their keys, in a file that is written once and never changed. Numbers are unsigned and 32 bits
 * wide unless said otherwise, all of them little-endian.
 *
 * | part | content |
 * | --- | --- |
 * | blocks | one after another, from the beginning of the file |
 * | index | for each block four numbers (its size, how many entries it has, the sizes of its first key and of its filter); the first keys; the filters |
 * | footer | 64 bytes: `llmspell-table-1`; where the index begins, its size and how many entries there are (64 bits each); the CRC-32 of the index; zeros; at the end the CRC-32 of the footer before it |
 *
 * | part of a block | content |
 * | --- | --- |
 * | size | of the block with these four bytes and without what fills it up |
 * | checksum | the CRC-32 of all of it that follows |
 * | count | how many entries it has |
 * | lengths | two numbers for each entry: how many bytes its key has, and how many its value |
 * | entries | key, value, key, value, … |
 * | zeros | up to the next multiple of four |
 *
 * A block holds about 8 KiB, or one entry that is larger. A filter tells of most keys that are not in its block that they are not
 * (`filter.ts`). Nothing is compressed: small blocks would gain a factor of 1.8, at five times the work of writing and of reading them.
 */
export const FOOTER_BYTES = 64;
export const BLOCK_HEAD_BYTES = 12;
const MAGIC = Buffer.from('llmspell-table-1');
/** A block is closed when it has this many bytes. */
const BLOCK_BYTES = 8 << 10;
const INDEX_NUMBERS = 4;

/** What is not as it was written. */
export class TableDamage extends Error {}

export const padded = (sizeBytes: number): number => (sizeBytes + 3) & ~3;

/** Where a block lies in a page: its entries from `from` up to `to`, without that, and their bytes. */
interface Cut {
  from: number;
  to: number;
  start: number;
  end: number;
}

/** Cuts pages into blocks, and makes the index and the footer. */
export class TableBuilder {
  readonly #numbers = new GrowingBytes();
  readonly #keys = new GrowingBytes();
  readonly #filters = new GrowingBytes();
  #sizeBytes = 0;
  entries = 0;

  *cuts({ lengths }: PackedPage): Generator<Cut> {
    let [from, start] = [0, 0];
    for (let to = 1, end = 0; 2 * to <= lengths.length; to++) {
      end += lengths[2 * to - 2]! + lengths[2 * to - 1]!;
      if (end - start < BLOCK_BYTES && 2 * to < lengths.length) continue;
      yield { from, to, start, end };
      [from, start] = [to, end];
    }
  }

  sizeOf = ({ from, to, start, end }: Cut): number => padded(BLOCK_HEAD_BYTES + 8 * (to - from) + end - start);

  /** Writes a block to `out[at..)`, where it has room; `at` is a multiple of four. Returns its checksum. */
  write({ bytes, lengths }: PackedPage, cut: Cut, out: Buffer, at: number): number {
    const { from, to, start, end } = cut;
    const count = to - from;
    const contentAt = at + BLOCK_HEAD_BYTES + 8 * count;
    const blockEnd = contentAt + end - start;
    const sizeBytes = this.sizeOf(cut);
    out.writeUInt32LE(blockEnd - at, at);
    out.writeUInt32LE(count, at + 8);
    const filter = new FilterBuilder(count);
    for (let i = from, keyAt = start; i < to; i++) {
      const [keyBytes, valueBytes] = [lengths[2 * i]!, lengths[2 * i + 1]!];
      out.writeUInt32LE(keyBytes, at + BLOCK_HEAD_BYTES + 8 * (i - from));
      out.writeUInt32LE(valueBytes, at + BLOCK_HEAD_BYTES + 8 * (i - from) + 4);
      filter.add(bytes, keyAt, keyAt + keyBytes);
      keyAt += keyBytes + valueBytes;
    }
    out.set(bytes.subarray(start, end), contentAt);
    out.fill(0, blockEnd, at + sizeBytes);
    const checksum = crc32(out.subarray(at + 8, blockEnd));
    out.writeUInt32LE(checksum, at + 4);
    const firstKeyBytes = lengths[2 * from]!;
    this.#numbers.add(numbersOf([sizeBytes, count, firstKeyBytes, filter.bytes.length]));
    this.#keys.add(bytes.subarray(start, start + firstKeyBytes));
    this.#filters.add(filter.bytes);
    this.#sizeBytes += sizeBytes;
    this.entries += count;
    return checksum;
  }

  /** What follows the blocks. */
  end(): Buffer {
    const index = Buffer.concat([this.#numbers.bytes, this.#keys.bytes, this.#filters.bytes]);
    const footer = Buffer.alloc(FOOTER_BYTES);
    MAGIC.copy(footer);
    footer.writeBigUInt64LE(BigInt(this.#sizeBytes), 16);
    footer.writeBigUInt64LE(BigInt(index.length), 24);
    footer.writeBigUInt64LE(BigInt(this.entries), 32);
    footer.writeUInt32LE(crc32(index), 40);
    footer.writeUInt32LE(crc32(footer.subarray(0, FOOTER_BYTES - 4)), FOOTER_BYTES - 4);
    return Buffer.concat([index, footer]);
  }
}

function numbersOf(numbers: readonly number[]): Bytes {
  const bytes = Buffer.alloc(4 * numbers.length);
  for (const [i, number] of numbers.entries()) bytes.writeUInt32LE(number, 4 * i);
  return bytes;
}

class GrowingBytes {
  #bytes = Buffer.alloc(1 << 12);
  #length = 0;

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  add(bytes: Bytes): void {
    const end = this.#length + bytes.length;
    if (end > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(2 * end);
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = end;
  }
}

export interface Footer {
  indexOffset: number;
  indexBytes: number;
  entries: number;
  indexChecksum: number;
}

/** Throws {@link TableDamage}. */
export function readFooter(bytes: Buffer): Footer {
  const checksum = bytes.length === FOOTER_BYTES ? crc32(bytes.subarray(0, FOOTER_BYTES - 4)) : undefined;
  if (checksum !== bytes.readUInt32LE(FOOTER_BYTES - 4) || !bytes.subarray(0, MAGIC.length).equals(MAGIC))
    throw new TableDamage('its end is not what was written');
  return {
    indexOffset: Number(bytes.readBigUInt64LE(16)),
    indexBytes: Number(bytes.readBigUInt64LE(24)),
    entries: Number(bytes.readBigUInt64LE(32)),
    indexChecksum: bytes.readUInt32LE(40),
  };
}

/** Byte strings side by side: the i-th is `bytes[at[i]..at[i + 1])`. */
interface Strings {
  bytes: Bytes;
  at: Uint32Array;
}

/** Where each block of a table lies, its first key and its filter. */
export class TableIndex {
  readonly count: number;
  /** In the file; one more than there are blocks, the last is where they end. */
  readonly offsets: Float64Array;
  readonly #keys: Strings;
  readonly #filters: Strings;

  /** @param filters without them every key may be in a block */
  constructor(offsets: Float64Array, keys: Strings, filters: Strings = NO_FILTERS) {
    this.count = offsets.length - 1;
    this.offsets = offsets;
    this.#keys = keys;
    this.#filters = filters;
  }

  firstKey = (block: number): Bytes => stringAt(this.#keys, block);

  filter = (block: number): Bytes | undefined =>
    this.#filters === NO_FILTERS ? undefined : stringAt(this.#filters, block);

  /** The last block that begins at or below `key`; -1 where all begin above it. */
  blockOf(key: Bytes): number {
    const { bytes, at } = this.#keys;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareRanges(bytes, at[middle]!, at[middle + 1]!, key, 0, key.length) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

const NO_FILTERS: Strings = { bytes: new Uint8Array(0), at: new Uint32Array(0) };

const stringAt = ({ bytes, at }: Strings, i: number): Bytes => bytes.subarray(at[i]!, at[i + 1]!);

/** Throws {@link TableDamage}. */
export function readIndex(bytes: Buffer, { indexChecksum, indexOffset, entries }: Footer): TableIndex {
  if (crc32(bytes) !== indexChecksum) throw new TableDamage('its index is not what was written');
  const count = countOf(bytes, indexOffset);
  const offsets = new Float64Array(count + 1);
  const keys: Strings = { bytes, at: new Uint32Array(count + 1) };
  const filters: Strings = { bytes, at: new Uint32Array(count + 1) };
  let counted = 0;
  for (let i = 0; i < count; i++) {
    const at = i * 4 * INDEX_NUMBERS;
    offsets[i + 1] = offsets[i]! + bytes.readUInt32LE(at);
    counted += bytes.readUInt32LE(at + 4);
    keys.at[i + 1] = bytes.readUInt32LE(at + 8);
    filters.at[i + 1] = bytes.readUInt32LE(at + 12);
  }
  const keysEnd = addUp(keys.at, count * 4 * INDEX_NUMBERS);
  if (addUp(filters.at, keysEnd) !== bytes.length || counted !== entries)
    throw new TableDamage('its index contradicts itself');
  return new TableIndex(offsets, keys, filters);
}

/** Sizes into where each begins; returns where the last one ends. */
function addUp(sizes: Uint32Array, begin: number): number {
  let at = begin;
  for (let i = 0; i < sizes.length; i++) {
    at += sizes[i]!;
    sizes[i] = at;
  }
  return at;
}

/** How many blocks end where the index begins. */
function countOf(bytes: Buffer, indexOffset: number): number {
  let count = 0;
  for (let end = 0; end < indexOffset; count++) {
    const at = count * 4 * INDEX_NUMBERS;
    if (at + 4 * INDEX_NUMBERS > bytes.length) throw new TableDamage('its index is cut short');
    end += bytes.readUInt32LE(at);
  }
  return count;
}

/** The entries of the block that begins at `at`. Throws {@link TableDamage}; where it `isTrusted`, the checksum is not looked at. */
export function readBlock(bytes: Buffer, at: number, isTrusted = false): PackedPage {
  const left = bytes.length - at;
  const end = left < BLOCK_HEAD_BYTES ? 0 : bytes.readUInt32LE(at);
  const count = end < BLOCK_HEAD_BYTES || end > left ? 0 : bytes.readUInt32LE(at + 8);
  const contentAt = BLOCK_HEAD_BYTES + 8 * count;
  if (count === 0 || contentAt > end) throw new TableDamage('a block of it makes no sense');
  const lengths = new Uint32Array(2 * count);
  let contentBytes = 0;
  for (let i = 0; i < lengths.length; i++) {
    lengths[i] = bytes.readUInt32LE(at + BLOCK_HEAD_BYTES + 4 * i);
    contentBytes += lengths[i]!;
  }
  if (contentAt + contentBytes !== end) throw new TableDamage('a block of it makes no sense');
  if (!isTrusted && crc32(bytes.subarray(at + 8, at + end)) !== bytes.readUInt32LE(at + 4))
    throw new TableDamage('a block of it does not fit its checksum');
  return { bytes: bytes.subarray(at + contentAt, at + end), lengths };
}
