import { pipeline, Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { asBuffer, type Bytes } from '../util/bytes.js';
import { crc32 } from '../util/hash.js';
import { Damage } from './archive-format.js';
import type { ArchiveSource } from './types.js';
import {
  CENTRAL_HEADER,
  CENTRAL_HEADER_BYTES,
  DEFLATED,
  END,
  END_BYTES,
  END64,
  END64_BYTES,
  END64_LOCATOR,
  END64_LOCATOR_BYTES,
  IN_ZIP64,
  LOCAL_HEADER,
  LOCAL_HEADER_BYTES,
  type ZipEntry,
} from './zip-format.js';

/** A comment may stand behind the end. */
const MAX_COMMENT_BYTES = 0xffff;
/** Enough for some thousands of files: nobody needs more of a backup. */
const MAX_DIRECTORY_BYTES = 1024 ** 2;
const READ_BYTES = 64 * 1024;

interface Directory {
  offset: number;
  bytes: number;
  count: number;
}

/** The files that a zip says it has. Throws {@link Damage}. */
export async function readZipDirectory(source: ArchiveSource): Promise<ZipEntry[]> {
  const { offset, bytes, count } = await findDirectory(source);
  if (bytes > MAX_DIRECTORY_BYTES) throw new Damage(`its directory claims ${bytes} bytes`);
  const directory = await readWithin(source, offset, bytes);
  const entries: ZipEntry[] = [];
  for (let at = 0; entries.length < count; ) {
    const { entry, length } = decodeEntry(directory.subarray(at));
    entries.push(entry);
    at += length;
  }
  return entries;
}

/**
 * The contents of one file, piece by piece. Throws {@link Damage} as soon as they turn out longer than the zip says, and at the end
 * where they are shorter or have another checksum.
 */
export async function* readZipEntry(source: ArchiveSource, entry: ZipEntry): AsyncGenerator<Bytes> {
  const { name } = entry;
  if (entry.flags & 1) throw new Damage(`${name} in it is encrypted`);
  if (entry.method !== DEFLATED && entry.method !== 0) throw new Damage(`${name} in it is packed in an unknown way`);
  let [bytes, checksum] = [0, 0];
  for await (const piece of contents(source, entry)) {
    bytes += piece.length;
    if (bytes > entry.bytes) throw new Damage(`${name} in it is longer than the ${entry.bytes} bytes it claims`);
    checksum = crc32(piece, checksum);
    yield piece;
  }
  if (bytes < entry.bytes) throw new Damage(`${name} in it is cut short`);
  if (checksum !== entry.crc32) throw new Damage(`the checksum of ${name} in it does not fit`);
}

async function* contents(source: ArchiveSource, entry: ZipEntry): AsyncGenerator<Bytes> {
  const header = await readWithin(source, entry.offset, LOCAL_HEADER_BYTES);
  if (header.readUInt32LE(0) !== LOCAL_HEADER) throw new Damage(`${entry.name} is not where its directory says`);
  const begin = entry.offset + LOCAL_HEADER_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  const packed = blocks(source, begin, entry.compressedBytes);
  if (entry.method === 0) {
    yield* packed;
    return;
  }
  const inflate = createInflateRaw({ chunkSize: READ_BYTES });
  pipeline(Readable.from(packed, { objectMode: false, highWaterMark: READ_BYTES }), inflate, () => undefined);
  try {
    yield* inflate as AsyncIterable<Buffer>;
  } catch (error) {
    if (!String((error as NodeJS.ErrnoException).code).startsWith('Z_')) throw error;
    throw new Damage(`${entry.name} in it does not unpack`);
  }
}

async function* blocks(source: ArchiveSource, begin: number, length: number): AsyncGenerator<Bytes> {
  for (let at = 0; at < length; at += READ_BYTES)
    yield await readWithin(source, begin + at, Math.min(READ_BYTES, length - at));
}

async function findDirectory(source: ArchiveSource): Promise<Directory> {
  const tailBytes = Math.min(source.sizeBytes, END_BYTES + MAX_COMMENT_BYTES);
  const tailOffset = source.sizeBytes - tailBytes;
  const tail = await readWithin(source, tailOffset, tailBytes);
  for (let at = tailBytes - END_BYTES; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END || at + END_BYTES + tail.readUInt16LE(at + 20) !== tailBytes) continue;
    const found = {
      count: tail.readUInt16LE(at + 10),
      bytes: tail.readUInt32LE(at + 12),
      offset: tail.readUInt32LE(at + 16),
    };
    return found.offset === IN_ZIP64 || found.bytes === IN_ZIP64
      ? await findDirectory64(source, tailOffset + at)
      : found;
  }
  throw new Damage('it does not end as a zip does');
}

async function findDirectory64(source: ArchiveSource, endOffset: number): Promise<Directory> {
  const locator = await readWithin(source, endOffset - END64_LOCATOR_BYTES, END64_LOCATOR_BYTES);
  if (locator.readUInt32LE(0) !== END64_LOCATOR) throw new Damage('the end of its directory is missing');
  const end = await readWithin(source, numberAt(locator, 8), END64_BYTES);
  if (end.readUInt32LE(0) !== END64) throw new Damage('the end of its directory is missing');
  return { count: numberAt(end, 32), bytes: numberAt(end, 40), offset: numberAt(end, 48) };
}

function decodeEntry(from: Buffer): { entry: ZipEntry; length: number } {
  if (from.length < CENTRAL_HEADER_BYTES || from.readUInt32LE(0) !== CENTRAL_HEADER)
    throw new Damage('its directory is cut short');
  const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((at) => from.readUInt16LE(at)) as [
    number,
    number,
    number,
  ];
  const nameEnd = CENTRAL_HEADER_BYTES + nameBytes;
  const length = nameEnd + extraBytes + commentBytes;
  if (length > from.length) throw new Damage('its directory is cut short');
  const [bytes, compressedBytes, offset] = withZip64(
    [from.readUInt32LE(24), from.readUInt32LE(20), from.readUInt32LE(42)],
    from.subarray(nameEnd, nameEnd + extraBytes),
  ) as [number, number, number];
  const entry = {
    name: from.toString('utf8', CENTRAL_HEADER_BYTES, nameEnd),
    flags: from.readUInt16LE(8),
    method: from.readUInt16LE(10),
    crc32: from.readUInt32LE(16),
    bytes,
    compressedBytes,
    offset,
  };
  return { entry, length };
}

/** Those of the numbers that are in the ZIP64 extra field stand there in this order. */
function withZip64(numbers: readonly number[], extra: Buffer): number[] {
  if (!numbers.includes(IN_ZIP64)) return [...numbers];
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let next = at + 4;
    return numbers.map((number) => {
      if (number !== IN_ZIP64) return number;
      next += 8;
      if (next > extra.length) throw new Damage('its directory is cut short');
      return numberAt(extra, next - 8);
    });
  }
  throw new Damage('its directory is cut short');
}

function numberAt(from: Buffer, at: number): number {
  const number = Number(from.readBigUInt64LE(at));
  if (!Number.isSafeInteger(number)) throw new Damage('its directory points beyond every file');
  return number;
}

async function readWithin(source: ArchiveSource, offset: number, length: number): Promise<Buffer> {
  if (offset < 0 || offset + length > source.sizeBytes) throw new Damage('its directory points beyond its end');
  return asBuffer(await source.read(offset, length));
}
