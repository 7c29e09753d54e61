/**
 * The parts of a zip file that are needed here (APPNOTE 6.3.3): local header, central directory, its end, and the ZIP64 forms of these
 * for what is larger than 4 GiB. All integers are little-endian.
 */

/** One file in a zip. */
export interface ZipEntry {
  name: string;
  crc32: number;
  compressedBytes: number;
  bytes: number;
  /** Where its local header begins. */
  offset: number;
  /** 0: stored; 8: deflated. */
  method: number;
  /** Bit 0: encrypted. */
  flags: number;
}

export const LOCAL_HEADER = 0x04034b50;
export const CENTRAL_HEADER = 0x02014b50;
export const END = 0x06054b50;
export const END64 = 0x06064b50;
export const END64_LOCATOR = 0x07064b50;

export const LOCAL_HEADER_BYTES = 30;
export const CENTRAL_HEADER_BYTES = 46;
export const END_BYTES = 22;
export const END64_BYTES = 56;
export const END64_LOCATOR_BYTES = 20;

/** In a field of 4 bytes: the number is in the ZIP64 form. */
export const IN_ZIP64 = 0xffffffff;
export const DEFLATED = 8;
const ZIP64_EXTRA = 1;
const LOCAL_EXTRA_BYTES = 20;
/** Names are UTF-8. */
const UTF8_FLAG = 0x800;
const VERSION = 20;
const VERSION_ZIP64 = 45;

/** What `limit` numbers are told in 4 bytes: larger ones go into the ZIP64 form. */
export interface ZipStyle {
  limit: number;
  modifiedMs: number;
}

/** How long the local header of a file with this name is, whatever comes of its sizes. */
export const localHeaderBytes = (name: string): number =>
  LOCAL_HEADER_BYTES + Buffer.byteLength(name) + LOCAL_EXTRA_BYTES;

export function localHeader(entry: ZipEntry, { limit, modifiedMs }: ZipStyle): Buffer {
  const name = Buffer.from(entry.name);
  const out = Buffer.alloc(localHeaderBytes(entry.name));
  const isLarge = Math.max(entry.bytes, entry.compressedBytes) >= limit;
  out.writeUInt32LE(LOCAL_HEADER, 0);
  out.writeUInt16LE(isLarge ? VERSION_ZIP64 : VERSION, 4);
  writeCommon(out, 6, entry, isLarge, modifiedMs);
  out.writeUInt16LE(name.length, 26);
  out.writeUInt16LE(LOCAL_EXTRA_BYTES, 28);
  name.copy(out, LOCAL_HEADER_BYTES);
  // The room is needed before the sizes are known; where they turn out small, it is an extra field that means nothing.
  const extra = out.subarray(LOCAL_HEADER_BYTES + name.length);
  extra.writeUInt16LE(isLarge ? ZIP64_EXTRA : 0xffff, 0);
  extra.writeUInt16LE(LOCAL_EXTRA_BYTES - 4, 2);
  if (isLarge) writeNumbers(extra, 4, [entry.bytes, entry.compressedBytes]);
  return out;
}

export function centralHeader(entry: ZipEntry, { limit, modifiedMs }: ZipStyle): Buffer {
  const name = Buffer.from(entry.name);
  const numbers = [entry.bytes, entry.compressedBytes, entry.offset];
  const isLarge = Math.max(...numbers) >= limit;
  const out = Buffer.alloc(CENTRAL_HEADER_BYTES + name.length + (isLarge ? 28 : 0));
  out.writeUInt32LE(CENTRAL_HEADER, 0);
  // Made by: Unix, so that the mode counts.
  out.writeUInt16LE(0x0300 | (isLarge ? VERSION_ZIP64 : VERSION), 4);
  out.writeUInt16LE(isLarge ? VERSION_ZIP64 : VERSION, 6);
  writeCommon(out, 8, entry, isLarge, modifiedMs);
  out.writeUInt16LE(name.length, 28);
  out.writeUInt16LE(isLarge ? 28 : 0, 30);
  out.writeUInt32LE(0o100600 * 0x10000, 38);
  out.writeUInt32LE(isLarge ? IN_ZIP64 : entry.offset, 42);
  name.copy(out, CENTRAL_HEADER_BYTES);
  if (!isLarge) return out;
  const extra = out.subarray(CENTRAL_HEADER_BYTES + name.length);
  extra.writeUInt16LE(ZIP64_EXTRA, 0);
  extra.writeUInt16LE(24, 2);
  writeNumbers(extra, 4, numbers);
  return out;
}

/** The end of the file: where the central directory is. */
export function directoryEnd(count: number, bytes: number, offset: number, { limit }: ZipStyle): Buffer {
  const isLarge = Math.max(bytes, offset) >= limit;
  const end = Buffer.alloc(END_BYTES);
  end.writeUInt32LE(END, 0);
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(isLarge ? IN_ZIP64 : bytes, 12);
  end.writeUInt32LE(isLarge ? IN_ZIP64 : offset, 16);
  if (!isLarge) return end;
  const end64 = Buffer.alloc(END64_BYTES);
  end64.writeUInt32LE(END64, 0);
  writeNumbers(end64, 4, [END64_BYTES - 12]);
  end64.writeUInt16LE(0x0300 | VERSION_ZIP64, 12);
  end64.writeUInt16LE(VERSION_ZIP64, 14);
  writeNumbers(end64, 24, [count, count, bytes, offset]);
  const locator = Buffer.alloc(END64_LOCATOR_BYTES);
  locator.writeUInt32LE(END64_LOCATOR, 0);
  writeNumbers(locator, 8, [offset + bytes]);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([end64, locator, end]);
}

/** Flags, method, time, checksum and sizes stand in both headers, one after another. */
function writeCommon(out: Buffer, at: number, entry: ZipEntry, isLarge: boolean, modifiedMs: number): void {
  out.writeUInt16LE(entry.flags | UTF8_FLAG, at);
  out.writeUInt16LE(entry.method, at + 2);
  out.writeUInt32LE(dosTime(modifiedMs), at + 4);
  out.writeUInt32LE(entry.crc32, at + 8);
  out.writeUInt32LE(isLarge ? IN_ZIP64 : entry.compressedBytes, at + 12);
  out.writeUInt32LE(isLarge ? IN_ZIP64 : entry.bytes, at + 16);
}

function writeNumbers(out: Buffer, at: number, numbers: readonly number[]): void {
  for (const [index, number] of numbers.entries()) out.writeBigUInt64LE(BigInt(number), at + index * 8);
}

/** UTC in the form of MS-DOS, which begins in 1980 and knows every second second. */
function dosTime(timeMs: number): number {
  const date = new Date(Math.max(timeMs, Date.UTC(1980, 0, 1)));
  const day = ((date.getUTCFullYear() - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate();
  const time = (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1);
  return day * 0x10000 + time;
}
