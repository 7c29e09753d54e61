import type { Bytes } from '../util/bytes.js';
import { compareBytes } from '../util/bytes.js';
import { Damage } from './archive-format.js';
import { ByteReader, writeVarint } from './varint.js';

/** First keys are cut to this: the index stays small, and a cut key is still a lower bound in the same order. */
const MAX_FIRST_BYTES = 1024;
const INDEX_FRAME_BYTES = 256 * 1024;

/** Where one chunk is and what it holds. */
export interface ChunkPlace {
  ordinal: number;
  offset: number;
  /** Of its whole frame. */
  frameBytes: number;
  /** Records that begin in it. */
  records: number;
  /** Sort key of the record that its first byte belongs to, cut to 1 KiB. */
  first: Bytes;
}

/** The contents of the index frames: each begins with the ordinal and offset of its first chunk; the chunks follow without gaps. */
export class IndexBuilder {
  readonly #finished: Bytes[] = [];
  #frame = Buffer.allocUnsafe(INDEX_FRAME_BYTES * 2);
  #at = 0;
  #ordinal: number;
  #offset: number;

  constructor(firstOrdinal: number, firstOffset: number) {
    this.#ordinal = firstOrdinal;
    this.#offset = firstOffset;
  }

  add(frameBytes: number, records: number, first: Bytes): void {
    if (this.#at === 0) this.#numbers(this.#ordinal, this.#offset);
    const cut = first.subarray(0, MAX_FIRST_BYTES);
    this.#numbers(frameBytes, records, cut.length);
    this.#frame.set(cut, this.#at);
    this.#at += cut.length;
    this.#ordinal++;
    this.#offset += frameBytes;
    if (this.#at >= INDEX_FRAME_BYTES) this.#finishFrame();
  }

  frames(): readonly Bytes[] {
    if (this.#at > 0) this.#finishFrame();
    return this.#finished;
  }

  #numbers(...numbers: number[]): void {
    for (const number of numbers) this.#at = writeVarint(this.#frame, this.#at, number);
  }

  #finishFrame(): void {
    this.#finished.push(Uint8Array.prototype.slice.call(this.#frame, 0, this.#at));
    this.#at = 0;
  }
}

/** The chunks that one index frame lists. */
export function* decodeIndexFrame(raw: Bytes): Generator<ChunkPlace> {
  const from = new ByteReader(raw);
  let ordinal = from.varint();
  let offset = from.varint();
  while (from.left > 0) {
    const frameBytes = from.varint();
    const records = from.varint();
    const first = from.take(from.varint());
    if (!Number.isSafeInteger(offset + frameBytes)) throw new Damage('its index points beyond every file');
    yield { ordinal, offset, frameBytes, records, first };
    ordinal++;
    offset += frameBytes;
  }
}

/** Sort keys from `from` on and below `to`; open-ended where `to` is absent. */
export interface SortRange {
  from: Bytes;
  to?: Bytes;
}

export const inRange = (key: Bytes, { from, to }: SortRange): boolean =>
  compareBytes(key, from) >= 0 && (to === undefined || compareBytes(key, to) < 0);

/** Whether a chunk, whose successor begins at `nextFirst`, can hold a key of the range. Cutting keeps order, so the comparison is one of cut keys. */
export function mayHold({ first }: ChunkPlace, nextFirst: Bytes | undefined, { from, to }: SortRange): boolean {
  const cut = (key: Bytes) => key.subarray(0, MAX_FIRST_BYTES);
  if (to !== undefined && compareBytes(first, cut(to)) > 0) return false;
  return nextFirst === undefined || compareBytes(nextFirst, cut(from)) >= 0;
}
