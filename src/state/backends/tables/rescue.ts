import { readSync } from 'node:fs';
import type { Bytes } from '../../../util/bytes.js';
import { BLOCK_HEAD_BYTES, padded, readBlock, TableIndex } from './format.js';

/** How far a next block is looked for. */
const MAX_GAP_BYTES = 16 << 20;

/** The index of a table whose own is lost, from the blocks that are found in it. */
export function indexOfBlocks(descriptor: number, sizeBytes: number): TableIndex {
  const offsets: number[] = [];
  const keys: Bytes[] = [];
  for (let [at, gap] = [0, 0]; at < sizeBytes && gap < MAX_GAP_BYTES; ) {
    const found = blockAt(descriptor, at, sizeBytes);
    if (found === undefined) {
      at += 4;
      gap += 4;
      continue;
    }
    offsets.push(at);
    keys.push(found.firstKey);
    at += found.sizeBytes;
    gap = 0;
  }
  const ends = new Uint32Array(keys.length + 1);
  for (const [i, { length }] of keys.entries()) ends[i + 1] = ends[i]! + length;
  return new TableIndex(Float64Array.from([...offsets, sizeBytes]), { bytes: Buffer.concat(keys), at: ends });
}

function blockAt(
  descriptor: number,
  at: number,
  fileBytes: number,
): { firstKey: Bytes; sizeBytes: number } | undefined {
  const head = Buffer.alloc(BLOCK_HEAD_BYTES);
  if (readSync(descriptor, head, 0, BLOCK_HEAD_BYTES, at) < BLOCK_HEAD_BYTES) return undefined;
  const sizeBytes = padded(head.readUInt32LE());
  // What follows it must have room for the lengths that it claims.
  if (sizeBytes > fileBytes - at || BLOCK_HEAD_BYTES + 8 * head.readUInt32LE(8) > sizeBytes) return undefined;
  const block = Buffer.allocUnsafe(sizeBytes);
  readSync(descriptor, block, 0, sizeBytes, at);
  try {
    const { bytes, lengths } = readBlock(block, 0);
    return { firstKey: bytes.slice(0, lengths[0]), sizeBytes };
  } catch {
    return undefined;
  }
}
