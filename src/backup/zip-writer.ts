import type { FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createDeflateRaw } from 'node:zlib';
import type { Bytes } from '../util/bytes.js';
import { crc32 } from '../util/hash.js';
import {
  centralHeader,
  DEFLATED,
  directoryEnd,
  IN_ZIP64,
  localHeader,
  localHeaderBytes,
  type ZipEntry,
  type ZipStyle,
} from './zip-format.js';

const LEVEL = 6;

/** Writes a zip into an empty file, one file of it after another; of each, only a piece is in memory. Sizes beyond 4 GiB are no matter. */
export class ZipWriter {
  readonly #file: FileHandle;
  readonly #style: ZipStyle;
  readonly #entries: ZipEntry[] = [];
  #at = 0;

  /** @param limit numbers from this on are written in the ZIP64 form. */
  constructor(file: FileHandle, modifiedMs: number, limit = IN_ZIP64) {
    this.#file = file;
    this.#style = { modifiedMs, limit };
  }

  async add(name: string, contents: AsyncIterable<Bytes> | Iterable<Bytes>): Promise<void> {
    const entry = { name, crc32: 0, compressedBytes: 0, bytes: 0, offset: this.#at, method: DEFLATED, flags: 0 };
    this.#at += localHeaderBytes(name);
    const counted = async function* () {
      for await (const piece of contents) {
        entry.crc32 = crc32(piece, entry.crc32);
        entry.bytes += piece.length;
        yield piece;
      }
    };
    const deflate = createDeflateRaw({ level: LEVEL });
    // What fails on the way in is thrown where the other end is read.
    pipeline(Readable.from(counted(), { objectMode: false }), deflate, () => undefined);
    for await (const piece of deflate as AsyncIterable<Buffer>) {
      await this.#write(piece, this.#at);
      this.#at += piece.length;
      entry.compressedBytes += piece.length;
    }
    await this.#write(localHeader(entry, this.#style), entry.offset);
    this.#entries.push(entry);
  }

  /** Resolves with the size of the file. */
  async finish(): Promise<number> {
    const directory = Buffer.concat(this.#entries.map((entry) => centralHeader(entry, this.#style)));
    const end = directoryEnd(this.#entries.length, directory.length, this.#at, this.#style);
    await this.#write(Buffer.concat([directory, end]), this.#at);
    return this.#at + directory.length + end.length;
  }

  async #write(bytes: Buffer, position: number): Promise<void> {
    for (let at = 0; at < bytes.length; )
      at += (await this.#file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
  }
}
