import { EntryPage } from '../state/entry-page.js';
import { isRawKey } from '../state/key.js';
import type { HistoryRecord, RawEntry } from '../state/types.js';
import { type Bytes, equalBytes, printable } from '../util/bytes.js';
import { Damage, type FrameType } from './archive-format.js';
import { IndexBuilder } from './archive-index.js';
import { type ArchiveDetails, type ArchiveTrailer, decodeDetails, decodeTrailer } from './archive-metadata.js';
import { ChangeLayout, EntryLayout, RecordDecoder } from './archive-records.js';

export type ArchiveRecord = RawEntry | HistoryRecord;
export type ArchivePage = EntryPage | readonly ArchiveRecord[];

export const arrayOf = (page: ArchivePage): readonly ArchiveRecord[] =>
  page instanceof EntryPage ? page.entries() : page;

/** Where a frame was found. */
export interface FramePlace {
  type: FrameType;
  ordinal: number;
  offset: number;
  /** Of the whole frame. */
  frameBytes: number;
}

/**
 * Takes the contents of an archive's frames one after another, and checks that they make a right archive: everything decodes,
 * is in order, and agrees with index and trailer. Throws {@link Damage} and can go on after it.
 */
export class ArchiveContents {
  readonly #isIncremental: boolean;
  readonly #keepLongValues: boolean;
  details: ArchiveDetails | undefined;
  trailer: ArchiveTrailer | undefined;
  #decoder: RecordDecoder<ArchiveRecord> | undefined;
  #index = new IndexBuilder(1, 0);
  #indexFrames = 0;
  #trailerOffset = 0;
  #chunksEnd = 0;
  #chunks = 0;
  #records = 0;
  #uncompressedBytes = 0;

  constructor(isIncremental: boolean, keepLongValues: boolean) {
    this.#isIncremental = isIncremental;
    this.#keepLongValues = keepLongValues;
  }

  /** Something is missing before the next chunk. */
  skip(): void {
    this.#decoder?.skip();
  }

  /** The records of a chunk, in pages; none for other frames. The index can be compared only where no chunk before it was damaged (`isWhole`). */
  take(place: FramePlace, content: Bytes, isWhole: boolean): readonly ArchivePage[] {
    if (place.type === 'C') return this.#takeChunk(place, content);
    if (place.type === 'I' && isWhole) this.#compareIndex(content);
    if (place.type === 'D') {
      this.#chunksEnd = place.offset + place.frameBytes;
      this.details = decodeDetails(content);
    }
    if (place.type === 'T') {
      this.#trailerOffset = place.offset;
      this.trailer = decodeTrailer(content);
    }
    return [];
  }

  /** What can be said only at the end, and only where nothing was damaged: otherwise it differs anyway. */
  checkEnd(trailerOffset: number): void {
    if (!this.details || !this.trailer) throw new Damage('it has no details or no trailer');
    const { entryCount, ...stated } = this.trailer;
    const counted: typeof stated = {
      chunkCount: this.#chunks,
      recordCount: this.#records,
      uncompressedBytes: this.#uncompressedBytes,
      indexOffset: this.#chunksEnd,
    };
    if (JSON.stringify(counted) !== JSON.stringify(stated))
      throw new Damage(`its trailer states ${JSON.stringify(stated)} where there are ${JSON.stringify(counted)}`);
    if (this.#decoder?.unfinished) throw new Damage('its last value is cut short');
    if (this.#indexFrames !== this.#index.frames().length) throw new Damage('its index is incomplete');
    if (this.#trailerOffset !== trailerOffset) throw new Damage('it does not end with its trailer');
    if (!this.#isIncremental && entryCount !== this.#records) throw new Damage('its entry count is wrong');
    if (this.#isIncremental !== (this.details.from !== undefined))
      throw new Damage('its header and its details do not agree on what it rests on');
  }

  #takeChunk({ ordinal, offset, frameBytes }: FramePlace, content: Bytes): readonly ArchivePage[] {
    if (this.#chunks === 0) this.#index = new IndexBuilder(ordinal, offset);
    this.#chunksEnd = offset + frameBytes;
    this.#decoder ??= this.#newDecoder();
    try {
      const { complete, page, begun, first } = this.#decoder.decode(content);
      this.#chunks++;
      this.#records += begun;
      this.#uncompressedBytes += content.length;
      this.#index.add(frameBytes, begun, first ?? new Uint8Array(0));
      complete.forEach(checkRecord);
      if (page) checkPage(page);
      return page ? [complete, page] : [complete];
    } catch (error) {
      this.#decoder.skip();
      throw error instanceof Damage ? new Damage(`in chunk ${ordinal} ${error.message}`) : error;
    }
  }

  #newDecoder(): RecordDecoder<ArchiveRecord> {
    if (!this.#isIncremental) return new RecordDecoder<RawEntry>(new EntryLayout(), this.#keepLongValues);
    const { from, seq } = this.details ?? { seq: Number.MAX_SAFE_INTEGER };
    return new RecordDecoder<HistoryRecord>(new ChangeLayout(from?.seq ?? 0, seq), this.#keepLongValues);
  }

  /** The index follows from the chunks: it is made again and compared. */
  #compareIndex(content: Bytes): void {
    const expected = this.#index.frames()[this.#indexFrames++];
    if (!expected || !equalBytes(expected, content)) throw new Damage('its index does not fit its chunks');
  }
}

function checkPage(page: EntryPage): void {
  const { bytes, length, spans } = page;
  for (let i = 0; i < length; i++) if (!isRawKey(bytes, spans[3 * i]!, spans[3 * i + 1]!)) throw notRaw(page.key(i));
}

const notRaw = (key: Bytes): Damage => new Damage(`the key ${printable(key)} is not one of a scope`);

function checkRecord(record: ArchiveRecord): void {
  if (!('value' in record) || 'scope' in record) return;
  if (!isRawKey(record.key)) throw notRaw(record.key);
}
