import { asBuffer, type Bytes } from '../util/bytes.js';
import { decodeFrameHeader, FRAME_HEADER_BYTES, type FrameHeader } from './archive-format.js';
import type { ArchiveSource } from './types.js';

const BLOCK_BYTES = 1024 * 1024;

/** A frame whose header is sound (its payload is not checked), or bytes that are no frame. */
export type Scanned = { offset: number; bytes: Buffer; header: FrameHeader } | { offset: number; gapBytes: number };

/** Reads a source from its beginning to `end`, every byte once and in order, and holds no more of it than a frame and a block. */
export class SequentialFile {
  readonly #source: ArchiveSource;
  readonly #end: number;
  readonly #onBlock: (block: Bytes) => void;
  #held: Buffer = Buffer.alloc(0);
  #heldFrom = 0;

  constructor(source: ArchiveSource, end: number, onBlock: (block: Bytes) => void) {
    this.#source = source;
    this.#end = end;
    this.#onBlock = onBlock;
  }

  /** The bytes from `offset` on, at least `length` of them unless the end comes first; what is before them is forgotten. */
  async from(offset: number, length: number): Promise<Buffer> {
    while (this.#heldEnd < Math.min(offset + length, this.#end)) await this.#readBlock(offset);
    return this.#held.subarray(offset - this.#heldFrom);
  }

  /** Reads what is left. */
  async drain(): Promise<void> {
    while (this.#heldEnd < this.#end) await this.#readBlock(this.#end);
  }

  get #heldEnd(): number {
    return this.#heldFrom + this.#held.length;
  }

  async #readBlock(keepFrom: number): Promise<void> {
    const start = this.#heldEnd;
    const block = asBuffer(await this.#source.read(start, Math.min(BLOCK_BYTES, this.#end - start)));
    this.#onBlock(block);
    const kept = this.#held.subarray(Math.min(keepFrom - this.#heldFrom, this.#held.length));
    this.#held = kept.length === 0 ? block : Buffer.concat([kept, block]);
    this.#heldFrom = start - kept.length;
  }
}

/** The frames from `offset` to `end`; where there is none, it goes on at the next one that can be found. */
export async function* scanFrames(file: SequentialFile, offset: number, end: number): AsyncGenerator<Scanned> {
  let at = offset;
  while (at < end) {
    const header = frameAt(await file.from(at, FRAME_HEADER_BYTES), 0, end - at);
    if (header) {
      const length = FRAME_HEADER_BYTES + header.payloadBytes;
      yield { offset: at, bytes: (await file.from(at, length)).subarray(0, length), header };
      at += length;
    } else {
      const next = await nextFrame(file, at + 1, end);
      yield { offset: at, gapBytes: next - at };
      at = next;
    }
  }
}

async function nextFrame(file: SequentialFile, offset: number, end: number): Promise<number> {
  for (let at = offset; at + FRAME_HEADER_BYTES <= end; ) {
    const bytes = await file.from(at, FRAME_HEADER_BYTES);
    const usable = Math.min(bytes.length, end - at);
    const found = bytes.indexOf('LSF', 0, 'latin1');
    if (found >= 0 && frameAt(bytes, found, end - at)) return at + found;
    at += found >= 0 && found + FRAME_HEADER_BYTES <= usable ? found + 1 : usable - FRAME_HEADER_BYTES + 1;
  }
  return end;
}

/** The header of a frame at `at`, where the whole frame fits into `space` bytes. */
function frameAt(bytes: Buffer, at: number, space: number): FrameHeader | undefined {
  const header = decodeFrameHeader(bytes, at);
  return header && at + FRAME_HEADER_BYTES + header.payloadBytes <= space ? header : undefined;
}
