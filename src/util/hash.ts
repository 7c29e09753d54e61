import { createHash, randomBytes } from 'node:crypto';
import * as zlib from 'node:zlib';
import type { Bytes } from './bytes.js';

/** CRC-32 (IEEE 802.3, as gzip and zip use it), continued from `seed`; an unsigned 32-bit number. */
export const crc32 = (data: Bytes, seed = 0): number => zlib.crc32(data, seed);

export const sha256 = (data: Bytes): Bytes => createHash('sha256').update(data).digest();

/** `byteLength` random bytes as lower-case hexadecimal. */
export const randomHex = (byteLength: number): string => randomBytes(byteLength).toString('hex');
