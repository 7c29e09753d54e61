import type { Bytes } from '../util/bytes.js';
import type { BackendEntry } from './backend.js';

/**
 * Many entries in one block of bytes, one after another: a key, its value, the next key, … For who has many: an object and two views for
 * each would cost more than what is done with it.
 */
export interface PackedPage {
  readonly bytes: Bytes;
  /** Two numbers for each entry: how many bytes its key has, and how many its value. */
  readonly lengths: Uint32Array;
}

export function packPage(entries: readonly BackendEntry[]): PackedPage {
  const lengths = new Uint32Array(2 * entries.length);
  const bytes = new Uint8Array(entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0));
  let at = 0;
  for (const [i, entry] of entries.entries())
    for (const [which, part] of entry.entries()) {
      bytes.set(part, at);
      at += part.length;
      lengths[2 * i + which] = part.length;
    }
  return { bytes, lengths };
}

/** The entries, as views of the page's bytes. */
export function unpackPage({ bytes, lengths }: PackedPage): [key: Bytes, value: Bytes][] {
  const { buffer } = bytes;
  const entries: [Bytes, Bytes][] = [];
  let at = bytes.byteOffset;
  for (let i = 0; i < lengths.length; i += 2) {
    const valueAt = at + lengths[i]!;
    const valueBytes = lengths[i + 1]!;
    entries.push([new Uint8Array(buffer, at, lengths[i]!), new Uint8Array(buffer, valueAt, valueBytes)]);
    at = valueAt + valueBytes;
  }
  return entries;
}
