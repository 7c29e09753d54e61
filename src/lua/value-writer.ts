import { isUtf8 } from 'node:buffer';

/** The value is larger than may be stored. */
export class TooLarge extends Error {}

const INITIAL_BYTES = 4096;
/** More than a header, a key that is no string and a scalar take together: reserved once for all three. */
const SLACK = 32;
/** The longest string with a header of one byte. */
const SHORT = 31;

/** Builds one MessagePack value after another in a buffer that is used again. The lengths of tables are known only when they end. */
export class ValueWriter {
  readonly #maxBytes: number;
  #out = new Uint8Array(INITIAL_BYTES);
  #view = new DataView(this.#out.buffer);
  #at = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#at;
  }

  begin(): void {
    this.#at = 0;
  }

  /** The value written since `begin`; good until the next one. */
  finish(): Uint8Array {
    if (this.#at > this.#maxBytes) throw new TooLarge();
    return this.#out.subarray(0, this.#at);
  }

  /** Makes room for a header, a key and a value that are no strings. Their methods rely on it. */
  makeRoom(): void {
    this.#reserve(SLACK);
  }

  nil(): void {
    this.#out[this.#at++] = 0xc0;
  }

  /** 0 or 1. */
  boolean(value: number): void {
    this.#out[this.#at++] = 0xc2 + value;
  }

  float(n: number): void {
    this.#out[this.#at] = 0xcb;
    this.#view.setFloat64(this.#at + 1, n);
    this.#at += 9;
  }

  /** A safe integer. */
  integer(n: number): void {
    const out = this.#out;
    if (n >= -32 && n <= 127) out[this.#at++] = n;
    else if (n > 0 && n <= 0xff) {
      out[this.#at++] = 0xcc;
      out[this.#at++] = n;
    } else if (n > 0 && n <= 0xffff) {
      out[this.#at] = 0xcd;
      this.#view.setUint16(this.#at + 1, n);
      this.#at += 3;
    } else if (n >= -0x80000000 && n <= 0xffffffff) {
      out[this.#at] = n > 0 ? 0xce : 0xd2;
      this.#view.setInt32(this.#at + 1, n | 0);
      this.#at += 5;
    } else this.int64(BigInt(n));
  }

  int64(n: bigint): void {
    this.#out[this.#at] = 0xd3;
    this.#view.setBigInt64(this.#at + 1, n);
    this.#at += 9;
  }

  /** The bytes at `from`: `str` where they are UTF-8, else `bin`. Most are short ASCII, for which a loop is quicker than a view. */
  string(memory: Uint8Array, from: number, length: number): void {
    if (length <= SHORT && this.#shortText(memory, from, length)) return;
    const bytes = memory.subarray(from, from + length);
    this.#reserve(SLACK + length);
    const width = length <= 0xff ? 0 : length <= 0xffff ? 1 : 2;
    this.#out[this.#at++] = (length > SHORT && isUtf8(bytes) ? 0xd9 : 0xc4) + width;
    if (width === 0) this.#view.setUint8(this.#at, length);
    else if (width === 1) this.#view.setUint16(this.#at, length);
    else this.#view.setUint32(this.#at, length);
    this.#at += 1 << width;
    this.#out.set(bytes, this.#at);
    this.#at += length;
  }

  #shortText(memory: Uint8Array, from: number, length: number): boolean {
    this.#reserve(SLACK + length);
    const out = this.#out;
    let at = this.#at;
    let high = 0;
    out[at++] = 0xa0 | length;
    for (let i = from; i < from + length; i++) {
      const byte = memory[i]!;
      high |= byte;
      out[at++] = byte;
    }
    if (high >= 0x80 && !isUtf8(memory.subarray(from, from + length))) return false;
    this.#at = at;
    return true;
  }

  /** Reserves a header of one byte; `closeTable` wants its position. */
  openTable(): number {
    return this.#at++;
  }

  /** Writes the header. Where one byte does not do, what follows moves. */
  closeTable(start: number, count: number, isMap: boolean): void {
    if (count <= 15) {
      this.#out[start] = (isMap ? 0x80 : 0x90) | count;
      return;
    }
    const wide = count > 0xffff;
    const more = wide ? 4 : 2;
    this.#reserve(more);
    this.#out.copyWithin(start + 1 + more, start + 1, this.#at);
    this.#at += more;
    this.#out[start] = (isMap ? 0xde : 0xdc) + (wide ? 1 : 0);
    if (wide) this.#view.setUint32(start + 1, count);
    else this.#view.setUint16(start + 1, count);
  }

  /** Puts the keys 1, 2, 3 … before elements that are written already. `starts` tells where each begins; the last ends here. */
  insertKeys(starts: readonly number[]): void {
    const from = starts[0]!;
    const end = this.#at;
    const written = this.#out.slice(from, end);
    this.#at = from;
    starts.forEach((start, i) => {
      const stop = starts[i + 1] ?? end;
      this.#reserve(SLACK + stop - start);
      this.integer(i + 1);
      this.#out.set(written.subarray(start - from, stop - from), this.#at);
      this.#at += stop - start;
    });
  }

  #reserve(more: number): void {
    const needed = this.#at + more;
    if (needed <= this.#out.length) return;
    if (needed > this.#maxBytes + 2 * SLACK) throw new TooLarge();
    const larger = new Uint8Array(Math.min(2 * needed, this.#maxBytes + 4 * SLACK));
    larger.set(this.#out.subarray(0, this.#at));
    this.#out = larger;
    this.#view = new DataView(larger.buffer);
  }
}
