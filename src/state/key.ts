import type { Bytes } from '../util/bytes.js';

/**
 * Scope and key as one byte string, so that order is scope first, then key, both in byte order, and no two pairs collide:
 * the scope with each 0x00 written as 0x00 0xFF, then 0x00 0x01, then the key as it is. (The escape of FoundationDB's tuple
 * layer, with a terminator of our own.)
 */
export function encodeKey(scope: Bytes, key: Bytes): Bytes {
  const prefix = scopePrefix(scope);
  const out = new Uint8Array(prefix.length + key.length);
  out.set(prefix);
  out.set(key, prefix.length);
  return out;
}

/** What every raw key of a scope begins with. */
export function scopePrefix(scope: Bytes): Bytes {
  const zeros = scope.reduce((n, b) => (b === 0 ? n + 1 : n), 0);
  const out = new Uint8Array(scope.length + zeros + 2);
  let at = 0;
  for (const b of scope) {
    out[at++] = b;
    if (b === 0) out[at++] = 0xff;
  }
  out[at + 1] = 1;
  return out;
}

/** The reverse of {@link encodeKey}, or undefined where the bytes are not such a key. */
export function decodeKey(raw: Bytes): { scope: Bytes; key: Bytes } | undefined {
  const end = terminator(raw);
  if (end < 0) return undefined;
  return { scope: unescapeScope(raw.subarray(0, end)), key: raw.subarray(end + 2) };
}

/** Whether {@link decodeKey} can take `bytes[start..end)` apart. */
export function isRawKey(bytes: Bytes, start = 0, end = bytes.length): boolean {
  for (let at = start; at < end - 1; at++) {
    if (bytes[at] !== 0) continue;
    if (bytes[at + 1] !== 0xff) return bytes[at + 1] === 1;
    at++;
  }
  return false;
}

/** The smallest byte string above all that begin with `prefix`, or undefined where there is none (all 0xFF). */
export function prefixEnd(prefix: Bytes): Bytes | undefined {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return undefined;
  // Not slice(): that of a Buffer shares its memory.
  const end = new Uint8Array(prefix.subarray(0, length));
  end[length - 1] = end[length - 1]! + 1;
  return end;
}

function terminator(raw: Bytes): number {
  let at = raw.indexOf(0);
  while (at >= 0 && raw[at + 1] === 0xff) at = raw.indexOf(0, at + 2);
  return at >= 0 && raw[at + 1] === 1 ? at : -1;
}

function unescapeScope(escaped: Bytes): Bytes {
  if (!escaped.includes(0)) return escaped;
  return escaped.filter((_, i) => i === 0 || escaped[i - 1] !== 0 || escaped[i] !== 0xff);
}
