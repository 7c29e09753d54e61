import {
  decodeFooter,
  decodeFrameHeader,
  decodeHeader,
  encodeFooterEnd,
  encodeFooterStart,
  encodeFrame,
  encodeHeader,
  FOOTER_BYTES,
  FRAME_HEADER_BYTES,
  type FrameType,
  headerLength,
} from '../../src/backup/archive-format.js';
import { sha256 } from '../../src/util/hash.js';

export interface Frame {
  type: FrameType;
  ordinal: number;
  payload: Buffer;
}

export interface Parts {
  header: Record<string, unknown>;
  frames: Frame[];
}

/** An archive taken apart, for somebody who wants to put it together otherwise. */
export function takeApart(bytes: Buffer): Parts {
  const length = headerLength(bytes);
  const frames: Frame[] = [];
  for (let at = length; at < bytes.length - FOOTER_BYTES; ) {
    const { type, ordinal, payloadBytes } = decodeFrameHeader(bytes, at)!;
    frames.push({
      type,
      ordinal,
      payload: bytes.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + payloadBytes),
    });
    at += FRAME_HEADER_BYTES + payloadBytes;
  }
  decodeFooter(bytes.subarray(-FOOTER_BYTES));
  return { header: JSON.parse(decodeHeader(bytes.subarray(0, length), 'test').toString()), frames };
}

/** An archive whose checksums and digest all fit, whatever it says. */
export function putTogether({ header, frames }: Parts): Buffer {
  const encoded = frames.map(({ type, ordinal, payload }) => encodeFrame(type, ordinal, [payload]));
  const body = Buffer.concat([encodeHeader(Buffer.from(JSON.stringify(header))), ...encoded]);
  const trailerBytes = encoded.at(-1)!.length;
  const footer = encodeFooterStart(body.length - trailerBytes, trailerBytes);
  const digest = sha256(Buffer.concat([body, footer]));
  return Buffer.concat([body, footer, encodeFooterEnd(footer, digest)]);
}

/** The archive with one of its parts changed and all checksums made to fit again. */
export function forged(bytes: Buffer, change: (parts: Parts) => void): Buffer {
  const parts = takeApart(bytes);
  change(parts);
  return putTogether(parts);
}

/** The body of a frame: as it is (0) or compressed (1), the length it claims to unpack to, the bytes. */
export function body(storage: number, rawBytes: number, data: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(storage);
  head.writeUInt32LE(rawBytes, 1);
  return Buffer.concat([head, data]);
}
