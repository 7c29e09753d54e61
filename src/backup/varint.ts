import type { Bytes } from '../util/bytes.js';
import { Damage } from './archive-format.js';

/** The most bytes that a varint takes. */
export const MAX_VARINT_BYTES = 8;

/** Writes a non-negative safe integer, seven bits a byte, the lowest first (LEB128); returns where it ends. */
export function writeVarint(out: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest >= 0x80) {
    out[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  out[at++] = rest;
  return at;
}

/** Reads varints and bytes one after another; throws {@link Damage} rather than read beyond the end. */
export class ByteReader {
  readonly bytes: Bytes;
  at = 0;

  constructor(bytes: Bytes) {
    this.bytes = bytes;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  varint(): number {
    const first = this.bytes[this.at];
    if (first !== undefined && first < 0x80) {
      this.at++;
      return first;
    }
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new Damage('a number is cut short');
      value += (byte & 0x7f) * scale;
      if (!Number.isSafeInteger(value)) throw new Damage('a number is too large');
      if (byte < 0x80) return value;
    }
  }

  take(length: number): Bytes {
    if (length > this.left) throw new Damage(`a record claims ${length} bytes where ${this.left} are left`);
    const { buffer, byteOffset } = this.bytes;
    this.at += length;
    // Not subarray(), which takes its time to find out what kind of array to make.
    return new Uint8Array(buffer, byteOffset + this.at - length, length);
  }
}
