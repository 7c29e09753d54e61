import type { Bytes } from '../util/bytes.js';

const MAGIC = 0xfd2fb528;
const MAX_BLOCK_BYTES = 128 * 1024;
/** zstd's encoder splits a block into at most this many (`ZSTD_MAX_NB_BLOCK_SPLITS`), each of which could claim the full size. */
const MAX_SPLITS = 197;
const RLE_BLOCK = 1;

/**
 * Throws unless the bytes are one zstd frame (RFC 8878, section 3.1.1) with no more blocks than `rawLength` bytes can have.
 * The native module unpacks whatever it is given, and 100 kB can hold gigabytes; this reads the block headers alone and
 * bounds that to some tens of MiB.
 */
export function assertZstdSize(packed: Bytes, rawLength: number): void {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (packed.length < 6 || view.getUint32(0, true) !== MAGIC) throw new Error('no zstd frame');
  const descriptor = view.getUint8(4);
  let at = 5 + frameHeaderBytes(descriptor);
  let blocks = 0;
  for (let last = false; !last; blocks++) {
    if (at + 3 > packed.length) throw new Error('a zstd block is cut short');
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    last = (header & 1) === 1;
    at += 3 + (((header >> 1) & 3) === RLE_BLOCK ? 1 : header >> 3);
  }
  const checksumBytes = descriptor & 4 ? 4 : 0;
  if (at + checksumBytes !== packed.length) throw new Error('the zstd frame does not end where it says');
  if (blocks > (Math.floor(rawLength / MAX_BLOCK_BYTES) + 1) * MAX_SPLITS)
    throw new Error(`the zstd frame holds more than ${rawLength} bytes`);
}

/** What follows the descriptor: window, dictionary id, content size. */
function frameHeaderBytes(descriptor: number): number {
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3]!;
  const contentSize = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  return (singleSegment ? 0 : 1) + dictionary + contentSize;
}
