import { createHash } from 'node:crypto';
import { LlmspellError } from '../errors.js';
import type { HistoryRecord, RawEntry } from '../state/types.js';
import { throwIfAborted } from '../util/abort.js';
import type { Bytes } from '../util/bytes.js';
import { encodeFooterEnd, encodeFooterStart, encodeHeader } from './archive-format.js';
import { FrameBox } from './archive-frames.js';
import { IndexBuilder } from './archive-index.js';
import {
  type ArchiveDetails,
  type ArchiveHeader,
  detailsOf,
  encodeJson,
  headerOf,
  infoOf,
} from './archive-metadata.js';
import { ChangeLayout, type Chunk, ChunkBuilder, EntryLayout, type RecordLayout } from './archive-records.js';
import { codecOf } from './compression.js';
import { frameCipher, newEncryption } from './encryption.js';
import type { ArchiveInfo, ArchiveOptions, ArchiveSink, ArchiveStart, ArchiveWriter } from './types.js';

/**
 * Begins an archive: header and details are written, records may follow (entries in byte order of their keys, or changes in order of
 * their sequence numbers), then `finish`. Memory stays at a few chunks and the index, whatever the number of records.
 * Throws `CONFIG_INVALID` for a level out of range, `BACKUP_KEY` for an unusable key, `BACKUP_FAILED` where the codec does not load,
 * and whatever the sink throws; the caller then throws away what the sink got.
 */
export async function createArchiveWriter(
  sink: ArchiveSink,
  start: ArchiveStart,
  options: ArchiveOptions = {},
): Promise<ArchiveWriter> {
  const codec = codecOf(start.compression);
  const encryption = options.key && (await newEncryption(options.key, start.position.storeId));
  const header = headerOf(start, encryption?.header);
  const head = encodeHeader(encodeJson(header));
  const box = new FrameBox(() => codec, encryption && frameCipher(encryption.archiveKey, head));
  const writer = new Writer({ sink, options, box, header, details: detailsOf(start), inFlight: codec.inFlight });
  await writer.begin(head);
  return writer;
}

interface WriterSetup {
  sink: ArchiveSink;
  options: ArchiveOptions;
  box: FrameBox;
  header: ArchiveHeader;
  details: ArchiveDetails;
  /** Chunks compressed at once. */
  inFlight: number;
}

class Writer implements ArchiveWriter {
  readonly #setup: WriterSetup;
  readonly #entryLayout = new EntryLayout();
  readonly #changeLayout: ChangeLayout;
  readonly #hash = createHash('sha256');
  /** Chunks being compressed, in the order they must be written in. */
  readonly #sealing: { chunk: Chunk; frame: Promise<Buffer> }[] = [];
  /** Memory of chunks that have been written, for the next ones: fresh memory costs more than what is done with it. */
  readonly #spare: Buffer[] = [];
  readonly #builder = new ChunkBuilder();
  #index = new IndexBuilder(1, 0);
  #written = 0;
  #ordinal = 0;
  #records = 0;
  #uncompressedBytes = 0;

  constructor(setup: WriterSetup) {
    this.#setup = setup;
    this.#changeLayout = new ChangeLayout(setup.details.from?.seq ?? 0, setup.details.seq);
  }

  async begin(head: Bytes): Promise<void> {
    await this.#write(head);
    await this.#write(await this.#setup.box.seal('D', this.#ordinal++, encodeJson(this.#setup.details)));
    this.#index = new IndexBuilder(this.#ordinal, this.#written);
  }

  async entries(page: readonly RawEntry[]): Promise<void> {
    if (this.#setup.header.parent)
      throw new LlmspellError('INTERNAL', 'An incremental backup holds changes, not entries.');
    await this.#add(page, this.#entryLayout);
  }

  async changes(page: readonly HistoryRecord[]): Promise<void> {
    if (!this.#setup.header.parent) throw new LlmspellError('INTERNAL', 'A full backup holds entries, not changes.');
    await this.#add(page, this.#changeLayout);
  }

  async finish(result: { entryCount?: number } = {}): Promise<ArchiveInfo> {
    if (!this.#builder.empty) await this.#flush(0);
    while (this.#sealing.length > 0) await this.#writeOldest();
    const chunkCount = this.#ordinal - 1;
    const indexOffset = this.#written;
    for (const raw of this.#index.frames()) await this.#write(await this.#setup.box.seal('I', this.#ordinal++, raw));
    const trailer = {
      chunkCount,
      recordCount: this.#records,
      entryCount: this.#setup.header.parent ? (result.entryCount ?? 0) : this.#records,
      uncompressedBytes: this.#uncompressedBytes,
      indexOffset,
    };
    const sha256 = await this.#writeEnd(await this.#setup.box.seal('T', this.#ordinal, encodeJson(trailer)));
    return infoOf(this.#setup.header, { details: this.#setup.details, trailer }, { sizeBytes: this.#written, sha256 });
  }

  async #add<T>(page: readonly T[], layout: RecordLayout<T>): Promise<void> {
    throwIfAborted(this.#setup.options.signal);
    for (const record of page) {
      if (this.#builder.full) {
        await this.#flush(0);
        layout.startChunk();
      }
      const value = layout.write(record, this.#builder);
      for (let done = this.#builder.fill(value, 0); done < value.length; done = this.#builder.fill(value, done)) {
        await this.#flush(value.length - done);
        layout.startChunk();
      }
    }
    this.#records += page.length;
    this.#setup.options.onProgress?.(this.#records);
  }

  /** Hands the chunk over to be compressed, and begins the next one. */
  async #flush(carried: number): Promise<void> {
    const chunk = this.#builder.take(carried, this.#spare.pop());
    this.#uncompressedBytes += chunk.raw.length;
    const frame = this.#setup.box.seal('C', this.#ordinal++, chunk.raw);
    // Awaited in `#writeOldest`; where an earlier failure ends the archive first, nobody else would catch this one.
    frame.catch(() => undefined);
    this.#sealing.push({ chunk, frame });
    if (this.#sealing.length >= this.#setup.inFlight) await this.#writeOldest();
  }

  async #writeOldest(): Promise<void> {
    const { chunk, frame } = this.#sealing.shift()!;
    const bytes = await frame;
    this.#spare.push(chunk.memory);
    throwIfAborted(this.#setup.options.signal);
    await this.#write(bytes);
    this.#index.add(bytes.length, chunk.records, chunk.first);
  }

  async #writeEnd(trailer: Buffer): Promise<string> {
    const footer = encodeFooterStart(this.#written, trailer.length);
    await this.#write(trailer);
    this.#hash.update(footer);
    const sha256 = this.#hash.digest();
    const rest = Buffer.concat([footer, encodeFooterEnd(footer, sha256)]);
    await this.#setup.sink.write(rest);
    this.#written += rest.length;
    return sha256.toString('hex');
  }

  async #write(bytes: Bytes): Promise<void> {
    this.#hash.update(bytes);
    this.#written += bytes.length;
    await this.#setup.sink.write(bytes);
  }
}
