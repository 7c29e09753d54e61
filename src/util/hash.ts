import { createHash, randomBytes } from 'node:crypto';
import * as zlib from 'node:zlib';
import type { Bytes } from './bytes.js';

/** CRC-32 (IEEE 802.3, as gzip and zip use it), continued from `seed`; an unsigned 32-bit number. */
export const crc32 = (data: Bytes, seed = 0): number => zlib.crc32(data, seed);

/** Below it a loop is quicker than the call out of JavaScript and the view that it needs. */
const SHORT = 64;
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0xedb88320;
  return crc;
});

/** {@link crc32} of `data[start..end)`. */
export function crc32Of(data: Bytes, start: number, end: number): number {
  if (end - start > SHORT) return crc32(data.subarray(start, end));
  let crc = -1;
  for (let at = start; at < end; at++) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ data[at]!) & 0xff]!;
  return ~crc >>> 0;
}

export const sha256 = (data: Bytes): Bytes => createHash('sha256').update(data).digest();

/** `byteLength` random bytes as lower-case hexadecimal. */
export const randomHex = (byteLength: number): string => randomBytes(byteLength).toString('hex');
