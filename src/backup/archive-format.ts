import { LlmspellError } from '../errors.js';
import type { Bytes } from '../util/bytes.js';
import { crc32 } from '../util/hash.js';

/**
 * The bytes of an archive, as `docs/archive-format.md` describes them. All integers are little-endian.
 *
 *     preamble ‖ header (JSON) ‖ frame D (details) ‖ frames C (chunks) ‖ frames I (index) ‖ frame T (trailer) ‖ footer
 */
export const FORMAT_VERSION = 1;

const MAGIC = Buffer.from('\x89LSB\r\n\x1a\n', 'latin1');
const END_MAGIC = Buffer.from('LSB-END\n', 'latin1');

/** Magic 8, version 4, length of the header 4, CRC-32 of these and of the header 4. */
export const PREAMBLE_BYTES = 20;
const MAX_HEADER_BYTES = 64 * 1024;

/** Marker 4, ordinal 4, length of the payload 4, CRC-32 of the payload 4, CRC-32 of these four 4. */
export const FRAME_HEADER_BYTES = 20;

/** Of a frame's content before compression. */
export const MAX_RAW_BYTES = 2 * 1024 * 1024;
/** What the payload begins with: storage 1, raw length 4. */
export const BODY_HEADER_BYTES = 5;
/** 16 of authentication where encrypted. */
export const MAX_PAYLOAD_BYTES = MAX_RAW_BYTES + BODY_HEADER_BYTES + 16;

/** Offset of the trailer's frame 8, its length 4, SHA-256 of all bytes before it 32, CRC-32 of these 4, magic 8. */
export const FOOTER_BYTES = 56;
/** How much of the footer the SHA-256 covers: the digest is of the whole file up to itself. */
export const FOOTER_HASHED_BYTES = 12;

/** Details, chunk of records, index, trailer. */
export type FrameType = 'D' | 'C' | 'I' | 'T';

/** What is wrong with the bytes; whoever knows the archive's name makes a `BACKUP_DAMAGED` of it. */
export class Damage extends Error {}

export const damaged = (name: string, what: string): LlmspellError =>
  new LlmspellError('BACKUP_DAMAGED', `The backup ${name} is damaged: ${what}.`, { subject: name });

/** Runs `read`, and gives damage found in it the archive's name. */
export async function namingDamage<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof Damage ? damaged(name, error.message) : error;
  }
}

export function encodeHeader(json: Bytes): Buffer {
  if (json.length > MAX_HEADER_BYTES)
    throw new LlmspellError('INTERNAL', `The header of a backup would have ${json.length} bytes.`);
  const out = Buffer.alloc(PREAMBLE_BYTES + json.length);
  MAGIC.copy(out);
  out.writeUInt32LE(FORMAT_VERSION, 8);
  out.writeUInt32LE(json.length, 12);
  out.set(json, PREAMBLE_BYTES);
  out.writeUInt32LE(headerCrc(out), 16);
  return out;
}

const headerCrc = (head: Buffer) => crc32(head.subarray(PREAMBLE_BYTES), crc32(head.subarray(0, 16)));

/** The length of preamble and header together, from the preamble. */
export function headerLength(preamble: Buffer): number {
  if (preamble.length < PREAMBLE_BYTES || !preamble.subarray(0, 8).equals(MAGIC))
    throw new Damage('it does not begin as a backup archive does');
  const length = preamble.readUInt32LE(12);
  if (length > MAX_HEADER_BYTES) throw new Damage(`its header claims ${length} bytes`);
  return PREAMBLE_BYTES + length;
}

/** The header's JSON from preamble and header; `BACKUP_VERSION` where a newer version wrote it. */
export function decodeHeader(head: Buffer, name: string): Bytes {
  if (head.readUInt32LE(16) !== headerCrc(head)) throw new Damage('the checksum of its header does not fit');
  const version = head.readUInt32LE(8);
  if (version !== FORMAT_VERSION)
    throw new LlmspellError(
      'BACKUP_VERSION',
      `The backup ${name} has format version ${version}; this program reads version ${FORMAT_VERSION}.`,
      { subject: name },
    );
  return head.subarray(PREAMBLE_BYTES);
}

export interface FrameHeader {
  type: FrameType;
  /** Counts all frames of the archive from 0. */
  ordinal: number;
  payloadBytes: number;
  payloadCrc: number;
}

/** A whole frame; its payload comes in parts. */
export function encodeFrame(type: FrameType, ordinal: number, payload: readonly Bytes[]): Buffer {
  const payloadBytes = payload.reduce((sum, part) => sum + part.length, 0);
  const out = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payloadBytes);
  let at = FRAME_HEADER_BYTES;
  for (const part of payload) {
    out.set(part, at);
    at += part.length;
  }
  out.write(`LSF${type}`, 'latin1');
  out.writeUInt32LE(ordinal, 4);
  out.writeUInt32LE(payloadBytes, 8);
  out.writeUInt32LE(crc32(out.subarray(FRAME_HEADER_BYTES)), 12);
  out.writeUInt32LE(crc32(out.subarray(0, 16)), 16);
  return out;
}

const MARKER = Buffer.from('LSF', 'latin1');

/** A frame's header, or undefined where the bytes at `at` are none. */
export function decodeFrameHeader(bytes: Buffer, at = 0): FrameHeader | undefined {
  if (bytes.length < at + FRAME_HEADER_BYTES || bytes.compare(MARKER, 0, 3, at, at + 3) !== 0) return undefined;
  if (crc32(bytes.subarray(at, at + 16)) !== bytes.readUInt32LE(at + 16)) return undefined;
  const type = String.fromCharCode(bytes[at + 3]!);
  const payloadBytes = bytes.readUInt32LE(at + 8);
  if (!isFrameType(type) || payloadBytes > MAX_PAYLOAD_BYTES) return undefined;
  return { type, ordinal: bytes.readUInt32LE(at + 4), payloadBytes, payloadCrc: bytes.readUInt32LE(at + 12) };
}

const isFrameType = (type: string): type is FrameType => type.length === 1 && 'DCIT'.includes(type);

/** The payload of the one frame that `bytes` are, its checksums verified. */
export function decodeFrame(bytes: Buffer, type: FrameType, ordinal: number): Buffer {
  const header = decodeFrameHeader(bytes);
  if (!header || header.type !== type || header.payloadBytes !== bytes.length - FRAME_HEADER_BYTES)
    throw new Damage(`the header of its ${frameName(type, ordinal)} is not what it must be`);
  if (header.ordinal !== ordinal) throw new Damage(`frame ${header.ordinal} stands where frame ${ordinal} must`);
  const payload = bytes.subarray(FRAME_HEADER_BYTES);
  if (crc32(payload) !== header.payloadCrc)
    throw new Damage(`the checksum of its ${frameName(type, ordinal)} does not fit`);
  return payload;
}

export const frameName = (type: FrameType, ordinal: number): string =>
  ({ D: 'details', C: `chunk ${ordinal}`, I: 'index', T: 'trailer' })[type];

export interface Footer {
  trailerOffset: number;
  /** Of the trailer's whole frame. */
  trailerBytes: number;
  sha256: Buffer;
}

/** The part of the footer that the archive's SHA-256 covers. */
export function encodeFooterStart(trailerOffset: number, trailerBytes: number): Buffer {
  const out = Buffer.alloc(FOOTER_HASHED_BYTES);
  out.writeBigUInt64LE(BigInt(trailerOffset), 0);
  out.writeUInt32LE(trailerBytes, 8);
  return out;
}

/** The rest of the footer. */
export function encodeFooterEnd(start: Buffer, sha256: Bytes): Buffer {
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(crc32(sha256, crc32(start)));
  return Buffer.concat([sha256, crc, END_MAGIC]);
}

export function decodeFooter(footer: Buffer): Footer {
  if (!footer.subarray(FOOTER_BYTES - END_MAGIC.length).equals(END_MAGIC))
    throw new Damage('it does not end as a backup archive does; it may be cut short');
  if (crc32(footer.subarray(0, 44)) !== footer.readUInt32LE(44))
    throw new Damage('the checksum of its footer does not fit');
  return {
    trailerOffset: Number(footer.readBigUInt64LE(0)),
    trailerBytes: footer.readUInt32LE(8),
    sha256: footer.subarray(FOOTER_HASHED_BYTES, 44),
  };
}
