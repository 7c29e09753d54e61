import type { Bytes } from './bytes.js';

const BITS = 11;

/**
 * Views of parts of one block of bytes, of which the latest are kept: making one takes as long as all else that a read does. A view whose block is
 * detached is empty, and so none that is asked for.
 */
export class Views {
  #block: Bytes | undefined;
  /** Of the block. */
  #buffer: ArrayBufferLike = new ArrayBuffer(0);
  #kept: Bytes[] = [];
  /** Where each begins in the block: asking a view for it is a call. */
  readonly #starts = new Int32Array(1 << BITS);

  /** `block[at..at + length)`. The block is the whole of its buffer. */
  of(block: Bytes, at: number, length: number): Bytes {
    if (block !== this.#block) this.#begin(block);
    // Golden-ratio hashing: places lie at regular distances.
    const slot = Math.imul(at, 0x9e3779b1) >>> (32 - BITS);
    const kept = this.#kept[slot]!;
    if (this.#starts[slot] === at && kept.length === length) return kept;
    const view = new Uint8Array(this.#buffer, at, length);
    this.#kept[slot] = view;
    this.#starts[slot] = at;
    return view;
  }

  #begin(block: Bytes): void {
    this.#block = block;
    this.#buffer = block.buffer;
    const none = block.subarray(0, 0);
    this.#kept = Array.from({ length: 1 << BITS }, () => none);
  }
}
