import { LlmspellError } from '../errors.js';
import type { EntryPage } from '../state/entry-page.js';
import { prefixEnd, scopePrefix } from '../state/key.js';
import type { HistoryRecord, RawEntry } from '../state/types.js';
import { throwIfAborted } from '../util/abort.js';
import { asBuffer, type Bytes } from '../util/bytes.js';
import { mapInOrder } from '../util/in-order.js';
import { type ArchivePage, type ArchiveRecord, arrayOf } from './archive-contents.js';
import { type OpenedEnds, openEnds, readEnds, readFrame } from './archive-ends.js';
import { Damage, damaged, FRAME_HEADER_BYTES, MAX_PAYLOAD_BYTES, namingDamage } from './archive-format.js';
import { type ChunkPlace, decodeIndexFrame, inRange, mayHold, type SortRange } from './archive-index.js';
import { ChangeLayout, EntryLayout, RecordDecoder, type RecordLayout, recordsOf } from './archive-records.js';
import { ArchiveScan } from './archive-scan.js';
import { CHUNKS_READ_AT_ONCE } from './compression.js';
import { HeldEnds } from './held-ends.js';
import type { ArchiveChunk, ArchiveInfo, ArchiveOptions, ArchiveReader, ArchiveSource } from './types.js';

/**
 * Opens an archive: header, details, trailer and footer are read and checked. Throws `BACKUP_DAMAGED`, `BACKUP_KEY`, `BACKUP_VERSION`;
 * the source stays open then. Reading holds a few chunks in memory, and one value.
 */
export function openArchive(source: ArchiveSource, options: ArchiveOptions = {}): Promise<ArchiveReader> {
  return namingDamage(source.name, async () => {
    const held = new HeldEnds(source);
    const ends = await openEnds(held, await readEnds(held), options.key);
    return new Reader(source, ends, options);
  });
}

class Reader implements ArchiveReader {
  readonly info: ArchiveInfo;
  readonly #source: ArchiveSource;
  readonly #ends: OpenedEnds;
  readonly #options: ArchiveOptions;
  /** Whether it is still to be verified. */
  #isUnverified: boolean;

  constructor(source: ArchiveSource, ends: OpenedEnds, options: ArchiveOptions) {
    this.info = ends.info;
    this.#source = source;
    this.#ends = ends;
    this.#options = options;
    this.#isUnverified = options.verify ?? false;
  }

  entries(scopes?: readonly Bytes[]): AsyncIterable<readonly RawEntry[]> {
    return this.#entries(scopes?.map((scope) => prefixRange(scopePrefix(scope))));
  }

  async *pages(): AsyncGenerator<EntryPage | readonly RawEntry[]> {
    if (!this.#isUnverified || this.info.parent) return yield* this.entries();
    yield* this.#scanned() as AsyncGenerator<EntryPage | readonly RawEntry[]>;
  }

  changes(): AsyncIterable<readonly HistoryRecord[]> {
    const { parent, position } = this.info;
    if (!parent)
      throw new LlmspellError('INTERNAL', `The backup ${this.#source.name} is a full one: it holds entries.`);
    return this.#records(new ChangeLayout(parent.fromSeq, position.seq));
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    const justAbove = Buffer.concat([key, Buffer.alloc(1)]);
    for await (const page of this.#entries([{ from: key, to: justAbove }])) return page[0]!.value;
    return undefined;
  }

  async *chunks(): AsyncGenerator<ArchiveChunk> {
    const { parent, position } = this.info;
    const decoder: RecordDecoder<ArchiveRecord> = parent
      ? new RecordDecoder<HistoryRecord>(new ChangeLayout(parent.fromSeq, position.seq))
      : new RecordDecoder<RawEntry>(new EntryLayout());
    for await (const place of this.#places(undefined)) {
      throwIfAborted(this.#options.signal);
      const contents = await this.#attempt(place, decoder);
      if (!contents) decoder.skip();
      yield { frameBytes: place.frameBytes, begun: place.records, first: place.first, contents };
    }
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  /** The records whose last byte is in the chunk; undefined where it is damaged. */
  async #attempt(
    place: ChunkPlace,
    decoder: RecordDecoder<ArchiveRecord>,
  ): Promise<readonly ArchiveRecord[] | undefined> {
    try {
      return recordsOf(decoder.decode((await this.#load(place)).raw));
    } catch (error) {
      if (error instanceof Damage || (error instanceof LlmspellError && error.code === 'BACKUP_DAMAGED'))
        return undefined;
      throw error;
    }
  }

  #entries(ranges: readonly SortRange[] | undefined): AsyncIterable<readonly RawEntry[]> {
    if (this.info.parent)
      throw new LlmspellError('INTERNAL', `The backup ${this.#source.name} is incremental: it holds changes.`);
    const wanted = ranges && (({ key }: RawEntry) => ranges.some((range) => inRange(key, range)));
    return this.#records(new EntryLayout(), ranges, wanted);
  }

  async *#records<T>(
    layout: RecordLayout<T>,
    ranges?: readonly SortRange[],
    wanted?: (record: T) => boolean,
  ): AsyncGenerator<readonly T[]> {
    if (this.#isUnverified && !ranges) return yield* this.#verified<T>();
    try {
      yield* this.#decoded(new RecordDecoder(layout), ranges, wanted);
    } catch (error) {
      throw error instanceof Damage ? damaged(this.#source.name, error.message) : error;
    }
  }

  /** What a scan finds are the records that the layout is for: it checks which kind of archive this is. */
  async *#verified<T>(): AsyncGenerator<readonly T[]> {
    for await (const page of this.#scanned()) yield arrayOf(page) as readonly unknown[] as readonly T[];
  }

  async *#scanned(): AsyncGenerator<ArchivePage> {
    const scan = new ArchiveScan(this.#source, this.#options, true, ({ message }) => {
      const { name } = this.#source;
      throw new LlmspellError('BACKUP_DAMAGED', `The archive ${name} is damaged: ${message}`, { subject: name });
    });
    yield* scan.run();
    this.#isUnverified = false;
  }

  async *#decoded<T>(
    decoder: RecordDecoder<T>,
    ranges: readonly SortRange[] | undefined,
    wanted: ((record: T) => boolean) | undefined,
  ): AsyncGenerator<readonly T[]> {
    const checkUnfinished = () => {
      const key = decoder.unfinished;
      if (key && (!ranges || ranges.some((range) => inRange(key, range))))
        throw new Damage('its last value is cut short');
    };
    let expected = 1;
    let records = 0;
    for await (const { place, raw } of mapInOrder(this.#places(ranges), CHUNKS_READ_AT_ONCE, (place) =>
      this.#load(place),
    )) {
      throwIfAborted(this.#options.signal);
      if (place.ordinal !== expected) {
        checkUnfinished();
        decoder.skip();
      }
      expected = place.ordinal + 1;
      const decoded = decoder.decode(raw);
      const { begun } = decoded;
      if (begun !== place.records)
        throw new Damage(`its chunk ${place.ordinal} has ${begun} records, and its index says ${place.records}`);
      const complete = recordsOf(decoded);
      const page = wanted ? complete.filter(wanted) : complete;
      if (page.length > 0) yield page;
      records += begun;
      this.#options.onProgress?.(records, ranges ? undefined : this.info.recordCount);
    }
    checkUnfinished();
    if (!ranges && records !== this.info.recordCount)
      throw new Damage(`it has ${records} records, and its trailer says ${this.info.recordCount}`);
  }

  async #load(place: ChunkPlace): Promise<{ place: ChunkPlace; raw: Bytes }> {
    const frame = asBuffer(await this.#source.read(place.offset, place.frameBytes));
    return { place, raw: await this.#ends.box.open(frame, 'C', place.ordinal) };
  }

  /** The chunks that can hold something of the ranges, in order. */
  async *#places(ranges: readonly SortRange[] | undefined): AsyncGenerator<ChunkPlace> {
    const isWanted = (place: ChunkPlace, next: ChunkPlace | undefined) =>
      !ranges || ranges.some((range) => mayHold(place, next?.first, range));
    let last: ChunkPlace | undefined;
    for await (const place of this.#index()) {
      if (last && isWanted(last, place)) yield last;
      last = place;
    }
    if (last && isWanted(last, undefined)) yield last;
  }

  /** The whole index, checked: it lists all chunks from the first to the last without a gap. */
  async *#index(): AsyncGenerator<ChunkPlace> {
    const { chunksOffset, trailer, trailerOffset, trailerOrdinal } = this.#ends;
    let offset = chunksOffset;
    let ordinal = 1;
    let frameOrdinal = trailer.chunkCount + 1;
    for (let at = trailer.indexOffset; at < trailerOffset; frameOrdinal++) {
      const frame = await readFrame(this.#source, at, 'I');
      for (const place of decodeIndexFrame(await this.#ends.box.open(frame.bytes, 'I', frameOrdinal))) {
        if (place.ordinal !== ordinal || place.offset !== offset) throw new Damage('its index has a gap');
        if (place.frameBytes > FRAME_HEADER_BYTES + MAX_PAYLOAD_BYTES)
          throw new Damage(`its index claims a chunk of ${place.frameBytes} bytes`);
        yield place;
        ordinal++;
        offset += place.frameBytes;
      }
      at += frame.bytes.length;
    }
    if (offset !== trailer.indexOffset || ordinal !== trailer.chunkCount + 1 || frameOrdinal !== trailerOrdinal)
      throw new Damage('its index does not list every chunk');
  }
}

const prefixRange = (prefix: Bytes): SortRange => {
  const to = prefixEnd(prefix);
  return to ? { from: prefix, to } : { from: prefix };
};
