import type { PlainError } from '../../errors.js';
import type { Bytes } from '../../util/bytes.js';
import type { KeyRange } from '../backend.js';

/** What the scanning thread is started with. */
export interface ScanStart {
  directory: string;
}

/** Asked by the main thread, one answer each, in order. `next` answers with a packed page, or undefined at the end. */
export type ScanRequest =
  | { op: 'snapshot'; snapshot: number }
  | { op: 'release'; snapshot: number }
  | { op: 'begin'; scan: number; snapshot: number; range: KeyRange }
  | { op: 'next'; scan: number }
  | { op: 'end'; scan: number };

export type ScanAnswer = { page?: ArrayBuffer; error?: PlainError };

/** Number of entries, then the lengths of each key and value (32 bits each), then the bytes, key by value. */
export function packPage(entries: readonly (readonly [Bytes, Bytes | undefined])[]): ArrayBuffer {
  const header = new Uint32Array(1 + entries.length * 2);
  header[0] = entries.length;
  let total = header.byteLength;
  for (const [i, [key, value]] of entries.entries()) {
    header[1 + 2 * i] = key.length;
    header[2 + 2 * i] = value?.length ?? 0;
    total += key.length + (value?.length ?? 0);
  }
  const page = new Uint8Array(total);
  page.set(new Uint8Array(header.buffer));
  let at = header.byteLength;
  for (const [key, value] of entries) {
    page.set(key, at);
    at += key.length;
    if (value !== undefined) page.set(value, at);
    at += value?.length ?? 0;
  }
  return page.buffer;
}

/** The reverse of {@link packPage}, without copying. */
export function unpackPage(page: ArrayBuffer): [Bytes, Bytes][] {
  const count = new Uint32Array(page, 0, 1)[0]!;
  const lengths = new Uint32Array(page, 4, count * 2);
  const entries: [Bytes, Bytes][] = [];
  let at = 4 + lengths.byteLength;
  for (let i = 0; i < count; i++) {
    const valueAt = at + lengths[2 * i]!;
    const end = valueAt + lengths[2 * i + 1]!;
    entries.push([new Uint8Array(page, at, valueAt - at), new Uint8Array(page, valueAt, end - valueAt)]);
    at = end;
  }
  return entries;
}
