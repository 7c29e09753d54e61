import type { Bytes } from '../util/bytes.js';
import type { ArchiveSource } from './types.js';

/** Header and details, trailer and footer are mostly smaller. */
const HELD_BYTES = 4096;

/** A source that reads its first and last 4 KiB once: what an archive says of itself then costs two reads, wherever it lies, and not six. */
export class HeldEnds implements ArchiveSource {
  readonly #source: ArchiveSource;
  #first: Promise<Bytes> | undefined;
  #last: Promise<Bytes> | undefined;

  constructor(source: ArchiveSource) {
    this.#source = source;
  }

  get sizeBytes(): number {
    return this.#source.sizeBytes;
  }

  get name(): string {
    return this.#source.name;
  }

  async read(offset: number, length: number): Promise<Bytes> {
    const held = Math.min(HELD_BYTES, this.sizeBytes);
    const lastFrom = this.sizeBytes - held;
    if (offset + length <= held) {
      this.#first ??= this.#source.read(0, held);
      return (await this.#first).subarray(offset, offset + length);
    }
    if (offset >= lastFrom && offset + length <= this.sizeBytes) {
      this.#last ??= this.#source.read(lastFrom, held);
      return (await this.#last).subarray(offset - lastFrom, offset - lastFrom + length);
    }
    return this.#source.read(offset, length);
  }

  close(): Promise<void> {
    return this.#source.close();
  }
}
