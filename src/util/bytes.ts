/** Byte strings: scopes, keys and encoded values are all `Uint8Array`, because Lua strings are bytes and not text. */
export type Bytes = Uint8Array;

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export const utf8 = (text: string): Bytes => encoder.encode(text);

/** The text of UTF-8 bytes, or undefined where they are not valid UTF-8. */
export function textOf(bytes: Bytes): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Bytes as a person reads them: text where it is text, otherwise with `\xNN` for what is not printable ASCII. */
export function printable(bytes: Bytes): string {
  const text = textOf(bytes);
  if (text !== undefined && !/[\u0000-\u001f\u007f-\u009f]/.test(text)) return text;
  let out = '';
  for (const b of bytes)
    out += b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : `\\x${b.toString(16).padStart(2, '0')}`;
  return out;
}

const SHORT = 64;

/** Copies `from[start..end)` to `to[at..)`. A few bytes are copied one by one, which is faster than making a view of them. */
export function copyBytes(from: Bytes, start: number, end: number, to: Bytes, at: number): void {
  if (end - start > SHORT) to.set(from.subarray(start, end), at);
  else for (let i = start; i < end; i++) to[at++] = from[i]!;
}

/** Byte order, as `memcmp` has it: negative, zero or positive. Few bytes are compared one by one, for the reason that {@link copyBytes} has. */
export function compareBytes(a: Bytes, b: Bytes): number {
  const length = Math.min(a.length, b.length);
  if (length > SHORT) return Buffer.compare(a, b);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** {@link compareBytes} of `a[aStart..aEnd)` and `b[bStart..bEnd)`. */
export function compareRanges(a: Bytes, aStart: number, aEnd: number, b: Bytes, bStart: number, bEnd: number): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart);
  for (let i = 0; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return a[aStart + i]! - b[bStart + i]!;
  return aEnd - aStart - (bEnd - bStart);
}

/** Few bytes are compared one by one, for the reason that {@link copyBytes} has. */
export function equalBytes(a: Bytes, b: Bytes): boolean {
  if (a.length !== b.length) return false;
  if (a.length > SHORT) return Buffer.compare(a, b) === 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The same bytes as a Buffer, not copied. */
export const asBuffer = (bytes: Bytes): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * Bytes as a string of the same length with one character (U+0000–U+00FF) a byte: a cheap `Map` key, and strings compare as
 * the bytes do.
 */
export const latin1Of = (bytes: Bytes): string => Buffer.prototype.latin1Slice.call(bytes);

/** The reverse of {@link latin1Of}. */
export const bytesOfLatin1 = (text: string): Bytes => Buffer.from(text, 'latin1');
