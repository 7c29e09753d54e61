import type { Bytes } from '../../../util/bytes.js';

/**
 * A Bloom filter over the keys of one block: ten bits a key, of which each key sets six. Of the keys that are not there it lets one in a hundred
 * through; of those that are, all.
 */
const BITS_PER_KEY = 10;
const PROBES = 6;

export class FilterBuilder {
  readonly bytes: Bytes;

  constructor(keys: number) {
    this.bytes = new Uint8Array(Math.ceil((keys * BITS_PER_KEY) / 8));
  }

  /** The key `source[start..end)`. */
  add(source: Bytes, start: number, end: number): void {
    const bits = 8 * this.bytes.length;
    let hash = hashOf(source, start, end);
    const step = stepOf(hash);
    for (let i = 0; i < PROBES; i++) {
      const bit = (hash >>> 0) % bits;
      this.bytes[bit >>> 3]! |= 1 << (bit & 7);
      hash = (hash + step) | 0;
    }
  }
}

/** Whether `key` may be one of those that the filter was made of. */
export function mayHold(filter: Bytes | undefined, key: Bytes): boolean {
  if (filter === undefined) return true;
  const bits = 8 * filter.length;
  let hash = hashOf(key, 0, key.length);
  const step = stepOf(hash);
  for (let i = 0; i < PROBES; i++) {
    const bit = (hash >>> 0) % bits;
    if ((filter[bit >>> 3]! & (1 << (bit & 7))) === 0) return false;
    hash = (hash + step) | 0;
  }
  return true;
}

/** FNV-1a, and what spreads its low bits (the finish of MurmurHash3). */
function hashOf(bytes: Bytes, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** Odd, so that the probes do not fall on one bit. */
const stepOf = (hash: number): number => (hash >>> 17) | (hash << 15) | 1;
