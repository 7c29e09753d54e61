import type { Bytes } from './bytes.js';

/**
 * A 32-bit hash (FNV-1a) of a scope and a key as they are stored, one after the other (`state/key.ts`), without putting them together. Both
 * threads use it: who writes computes it, and it travels with the change. With a last mix, because tables take a slot from the low bits.
 */
export function hashOfName(scope: Bytes, key: Bytes): number {
  let hash = OFFSET;
  for (let i = 0; i < scope.length; i++) {
    const byte = scope[i]!;
    hash = Math.imul(hash ^ byte, PRIME);
    if (byte === 0) hash = Math.imul(hash ^ 0xff, PRIME);
  }
  hash = Math.imul(Math.imul(hash, PRIME) ^ 1, PRIME);
  return mixed(more(hash, key));
}

/** The same of the stored form, which may come in two parts. */
export const hashOfRaw = (raw: Bytes, rest: Bytes = NO_BYTES): number => mixed(more(more(OFFSET, raw), rest));

const OFFSET = 0x811c9dc5 | 0;
const PRIME = 0x01000193;
const NO_BYTES: Bytes = new Uint8Array(0);

function more(start: number, bytes: Bytes): number {
  let hash = start;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, PRIME);
  return hash;
}

const mixed = (hash: number): number => hash ^ (hash >>> 15);
