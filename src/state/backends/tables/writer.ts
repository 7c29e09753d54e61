import type { FileHandle } from 'node:fs/promises';
import { LlmspellError } from '../../../errors.js';
import { atomicWrite } from '../../../util/atomic-write.js';
import { type Bytes, compareBytes } from '../../../util/bytes.js';
import { crc32 } from '../../../util/hash.js';
import type { LoadRange } from '../../backend.js';
import type { PackedPage } from '../../packed-page.js';
import { padded, TableBuilder } from './format.js';

const WRITE_BYTES = 1 << 20;
/** The disk begins after so many bytes with what it has to do at the end anyway. */
const SYNC_BYTES = 16 << 20;

/**
 * Writes a table of entries in byte order, all of them in `bounds`; resolves with its size in bytes and the number of its entries when it is on
 * disk under `path`, after all of it was read back and found to be what was handed over: the CRC-32 of each block, taken from the bytes before
 * they were written, is held against that of the bytes that were read. Where this fails nothing is left.
 */
export async function writeTable(
  path: string,
  bounds: LoadRange,
  pages: AsyncIterable<PackedPage>,
): Promise<{ sizeBytes: number; entries: number }> {
  return await atomicWrite(path, async (file) => {
    const output = new TableOutput(file);
    const builder = new TableBuilder();
    const checksums = new Checksums();
    let last: Bytes | undefined;
    for await (const page of pages) {
      if (page.lengths.length === 0) continue;
      last = assertOrder(page, last, bounds);
      for (const cut of builder.cuts(page)) {
        const sizeBytes = builder.sizeOf(cut);
        const { memory, at } = output.room(sizeBytes) ?? (await output.flushed(sizeBytes));
        checksums.add(builder.write(page, cut, memory, at), sizeBytes);
      }
    }
    await output.write(builder.end());
    await output.finish();
    await verify(file, checksums, path);
    return { sizeBytes: output.sizeBytes, entries: builder.entries };
  });
}

/** Returns the page's last key. */
function assertOrder({ bytes, lengths }: PackedPage, last: Bytes | undefined, { gte, lt }: LoadRange): Bytes {
  const first = bytes.subarray(0, lengths[0]);
  const lastAt = bytes.length - lengths.at(-2)! - lengths.at(-1)!;
  const end = bytes.subarray(lastAt, lastAt + lengths.at(-2)!);
  const isInOrder = last === undefined ? compareBytes(first, gte) >= 0 : compareBytes(first, last) > 0;
  if (!isInOrder || compareBytes(end, lt) >= 0)
    throw new LlmspellError('INTERNAL', 'Entries to be loaded are out of order, or not of their range.');
  return end.slice();
}

/** Collects what is written until it is worth a call, and writes while more is collected in other memory. */
class TableOutput {
  readonly #file: FileHandle;
  #memory = Buffer.allocUnsafeSlow(WRITE_BYTES);
  #spare = Buffer.allocUnsafeSlow(WRITE_BYTES);
  #at = 0;
  #unsyncedBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #syncing: Promise<void> = Promise.resolve();
  sizeBytes = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Room that is to be filled; undefined where it has to be made first. */
  room(sizeBytes: number): { memory: Buffer; at: number } | undefined {
    const at = this.#at;
    if (at + sizeBytes > this.#memory.length) return undefined;
    this.#at += sizeBytes;
    return { memory: this.#memory, at };
  }

  async flushed(sizeBytes: number): Promise<{ memory: Buffer; at: number }> {
    await this.#flush();
    if (sizeBytes > this.#memory.length) this.#memory = Buffer.allocUnsafeSlow(sizeBytes);
    return this.room(sizeBytes)!;
  }

  async write(bytes: Bytes): Promise<void> {
    const { memory, at } = this.room(bytes.length) ?? (await this.flushed(bytes.length));
    memory.set(bytes, at);
  }

  /** Resolves when all of it is on disk. */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#writing;
    await this.#syncing;
    await this.#file.sync();
  }

  async #flush(): Promise<void> {
    await this.#writing;
    const written = this.#memory;
    this.#writing = this.#writeAll(written.subarray(0, this.#at), this.sizeBytes);
    // Told by whoever waits for it.
    this.#writing.catch(() => undefined);
    this.sizeBytes += this.#at;
    this.#unsyncedBytes += this.#at;
    this.#memory = this.#spare;
    // What is larger was for one block.
    this.#spare = written.length === WRITE_BYTES ? written : Buffer.allocUnsafeSlow(WRITE_BYTES);
    this.#at = 0;
    if (this.#unsyncedBytes < SYNC_BYTES) return;
    this.#unsyncedBytes = 0;
    this.#syncing = Promise.all([this.#syncing, this.#file.datasync()]).then(() => undefined);
    this.#syncing.catch(() => undefined);
  }

  async #writeAll(bytes: Buffer, position: number): Promise<void> {
    // Where it takes less than all the disk may be full, which the next attempt tells.
    for (let at = 0; at < bytes.length; )
      at += (await this.#file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
  }
}

/** Of the blocks, in their order, with their sizes. */
class Checksums {
  #numbers = new Uint32Array(1 << 10);
  #length = 0;

  add(checksum: number, sizeBytes: number): void {
    if (this.#length === this.#numbers.length) {
      const larger = new Uint32Array(2 * this.#length);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.#length++] = checksum;
    this.#numbers[this.#length++] = sizeBytes;
  }

  *[Symbol.iterator](): Generator<{ checksum: number; sizeBytes: number }> {
    for (let i = 0; i < this.#length; i += 2) yield { checksum: this.#numbers[i]!, sizeBytes: this.#numbers[i + 1]! };
  }
}

/** Reads the blocks back; they must be those whose checksums these are. */
async function verify(file: FileHandle, checksums: Iterable<{ checksum: number; sizeBytes: number }>, path: string) {
  let position = 0;
  let sizes: { checksum: number; sizeBytes: number }[] = [];
  let sizeBytes = 0;
  let buffer = Buffer.allocUnsafeSlow(WRITE_BYTES);
  const readGroup = async () => {
    if (buffer.length < sizeBytes) buffer = Buffer.allocUnsafeSlow(sizeBytes);
    const { bytesRead } = await file.read(buffer, 0, sizeBytes, position);
    position += sizeBytes;
    let at = 0;
    for (const block of sizes) {
      if (bytesRead < sizeBytes || !isBlock(buffer.subarray(at, at + block.sizeBytes), block.checksum))
        throw notWritten(path);
      at += block.sizeBytes;
    }
    [sizes, sizeBytes] = [[], 0];
  };
  for (const block of checksums) {
    if (sizeBytes > 0 && sizeBytes + block.sizeBytes > WRITE_BYTES) await readGroup();
    sizes.push(block);
    sizeBytes += block.sizeBytes;
  }
  if (sizeBytes > 0) await readGroup();
}

function isBlock(bytes: Buffer, checksum: number): boolean {
  const end = bytes.readUInt32LE(0);
  return (
    padded(end) === bytes.length && bytes.readUInt32LE(4) === checksum && crc32(bytes.subarray(8, end)) === checksum
  );
}

const notWritten = (path: string): LlmspellError =>
  new LlmspellError('STATE_UNAVAILABLE', `What was written to ${path} did not come back as it was.`, {
    subject: path,
    hint: 'Nothing has been changed. Look at the disk, then try again.',
  });
