import { createHash } from 'node:crypto';
import { LlmspellError } from '../errors.js';
import { decodeKey } from '../state/key.js';
import type { HistoryRecord, RawEntry } from '../state/types.js';
import { throwIfAborted } from '../util/abort.js';
import { type Bytes, equalBytes, printable } from '../util/bytes.js';
import { mapInOrder } from '../util/in-order.js';
import { boxOf, type Ends, fileOf, readFooter, readHeader } from './archive-ends.js';
import {
  Damage,
  decodeFrame,
  FOOTER_BYTES,
  FOOTER_HASHED_BYTES,
  type Footer,
  type FrameHeader,
  frameName,
} from './archive-format.js';
import type { FrameBox } from './archive-frames.js';
import { IndexBuilder } from './archive-index.js';
import { type ArchiveDetails, type ArchiveTrailer, decodeDetails, decodeTrailer, infoOf } from './archive-metadata.js';
import { ChangeLayout, EntryLayout, RecordDecoder } from './archive-records.js';
import { type Scanned, SequentialFile, scanFrames } from './frame-scan.js';
import type { ArchiveInfo, ArchiveOptions, ArchiveSource } from './types.js';

/**
 * - `checksum`: bytes are not those that were written.
 * - `integrity`: they may be, and yet do not make a right archive (or were changed by somebody who made the checksums fit).
 * - `key`: it is encrypted and the key is missing or another one; checksums were verified, records not.
 * - `version`: a newer program wrote it; nothing was verified.
 */
export type ProblemKind = 'checksum' | 'integrity' | 'key' | 'version';

export interface ArchiveProblem {
  kind: ProblemKind;
  message: string;
}

export type ArchiveRecord = RawEntry | HistoryRecord;

/** A frame as it was found, with its content where it could be opened. */
interface Opened {
  scanned: Scanned;
  content?: Bytes;
  problem?: ArchiveProblem;
}

const IN_FLIGHT = 4;
const RANK = { D: 0, C: 1, I: 2, T: 3 } as const;

/**
 * Reads every byte of an archive from its beginning to its end, trusting nothing in it: damage is told to `onProblem` and what comes
 * after it is read all the same. Memory is bounded by the largest frame there may be, whatever lengths the bytes claim.
 */
export class ArchiveScan {
  readonly #source: ArchiveSource;
  readonly #options: ArchiveOptions;
  readonly #keepLongValues: boolean;
  readonly #onProblem: (problem: ArchiveProblem) => void;
  readonly #hash = createHash('sha256');
  #problems = 0;
  #hashedBytes = 0;
  #begin: Omit<Ends, 'footer'> | undefined;
  #footer: Footer | undefined;
  #box: FrameBox | undefined;
  #details: ArchiveDetails | undefined;
  #trailer: ArchiveTrailer | undefined;
  #decoder: RecordDecoder<ArchiveRecord> | undefined;
  #index = new IndexBuilder(1, 0);
  #indexFrames = 0;
  #expectedOrdinal = 0;
  #rank = 0;
  #trailerOffset = 0;
  #chunksEnd = 0;
  #chunks = 0;
  #records = 0;
  #uncompressedBytes = 0;

  constructor(
    source: ArchiveSource,
    options: ArchiveOptions,
    keepLongValues: boolean,
    onProblem: (problem: ArchiveProblem) => void,
  ) {
    this.#source = source;
    this.#options = options;
    this.#keepLongValues = keepLongValues;
    this.#onProblem = onProblem;
  }

  /** As far as it could be read. */
  get info(): ArchiveInfo | undefined {
    if (!this.#begin || !this.#footer) return undefined;
    const inner = this.#details && this.#trailer && { details: this.#details, trailer: this.#trailer };
    if (this.#box && !inner) return undefined;
    return infoOf(this.#begin.header, inner, fileOf(this.#source, this.#footer));
  }

  /** Runs the scan; the records of each chunk that can be read. Throws only what is no damage: `ABORTED`, a source that fails. */
  async *run(): AsyncGenerator<readonly ArchiveRecord[]> {
    this.#begin = await this.#attempt('checksum', () => readHeader(this.#source));
    if (!this.#begin) return;
    const begin = this.#begin;
    this.#footer = await this.#attempt('checksum', () => readFooter(this.#source));
    this.#box = await this.#attempt('key', () => boxOf(begin, this.#options.key, this.#source.name));
    const file = new SequentialFile(this.#source, this.#source.sizeBytes, (block) => this.#hashBlock(block));
    const end = this.#source.sizeBytes - (this.#footer ? FOOTER_BYTES : 0);
    for await (const opened of mapInOrder(scanFrames(file, begin.head.length, end), IN_FLIGHT, (it) =>
      this.#open(it),
    )) {
      throwIfAborted(this.#options.signal);
      const records = await this.#attempt('integrity', async () => this.#take(opened));
      if (records && records.length > 0) yield records;
      this.#options.onProgress?.(opened.scanned.offset, this.#source.sizeBytes);
    }
    await file.drain();
    await this.#attempt('integrity', async () => this.#checkEnd());
    this.#checkDigest();
    this.#options.onProgress?.(this.#source.sizeBytes, this.#source.sizeBytes);
  }

  #tell(kind: ProblemKind, message: string): void {
    this.#problems++;
    this.#onProblem({ kind, message });
  }

  /** The result, or undefined and a problem told where what was read is damaged, newer, or closed to this key. */
  async #attempt<T>(kind: ProblemKind, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (error instanceof Damage) this.#tell(kind, sentence(error.message));
      else if (error instanceof LlmspellError && error.code === 'BACKUP_DAMAGED') this.#tell('checksum', error.message);
      else if (error instanceof LlmspellError && error.code === 'BACKUP_VERSION') this.#tell('version', error.message);
      else if (error instanceof LlmspellError && error.code === 'BACKUP_KEY') this.#tell('key', error.message);
      else throw error;
      return undefined;
    }
  }

  /** The digest covers the file up to itself. */
  #hashBlock(block: Bytes): void {
    const covered = this.#source.sizeBytes - FOOTER_BYTES + FOOTER_HASHED_BYTES;
    this.#hash.update(block.subarray(0, Math.max(0, covered - this.#hashedBytes)));
    this.#hashedBytes += block.length;
  }

  /** Runs for several frames at once, so it only opens the frame and touches nothing else. */
  async #open(scanned: Scanned): Promise<Opened> {
    if (!('header' in scanned)) return { scanned };
    const { type, ordinal } = scanned.header;
    let kind: ProblemKind = 'checksum';
    try {
      const payload = decodeFrame(scanned.bytes, type, ordinal);
      kind = 'integrity';
      const content = await this.#box?.openPayload(payload, type, ordinal);
      return { scanned, ...(content && { content }) };
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      return { scanned, problem: { kind, message: sentence(error.message) } };
    }
  }

  #take({ scanned, content, problem }: Opened): readonly ArchiveRecord[] {
    if (!('header' in scanned)) {
      this.#decoder?.skip();
      this.#tell('checksum', `${scanned.gapBytes} bytes from ${scanned.offset} on are not what was written.`);
      return [];
    }
    this.#checkPlace(scanned.header);
    if (problem) {
      this.#decoder?.skip();
      this.#tell(problem.kind, problem.message);
    }
    return content ? this.#takeContent(scanned.header, scanned.bytes.length, scanned.offset, content) : [];
  }

  /** Every frame has its number, and the kinds follow one another. */
  #checkPlace({ type, ordinal }: FrameHeader): void {
    const expected = this.#expectedOrdinal;
    this.#expectedOrdinal = ordinal + 1;
    const outOfPlace = RANK[type] < this.#rank || (type === 'D') !== (ordinal === 0);
    this.#rank = RANK[type];
    if (ordinal !== expected) {
      this.#decoder?.skip();
      this.#tell(
        'integrity',
        ordinal > expected ? missing(expected, ordinal - 1) : `Frame ${ordinal} stands where frame ${expected} must.`,
      );
    } else if (outOfPlace) {
      this.#tell('integrity', `The ${frameName(type, ordinal)} stands where it must not.`);
    }
  }

  #takeContent(
    { type, ordinal }: FrameHeader,
    frameBytes: number,
    offset: number,
    content: Bytes,
  ): readonly ArchiveRecord[] {
    if (type === 'C') return this.#takeChunk(ordinal, frameBytes, offset, content);
    if (type === 'I') this.#checkIndex(content);
    if (type === 'D') {
      this.#chunksEnd = offset + frameBytes;
      this.#details = decodeDetails(content);
    }
    if (type === 'T') {
      this.#trailerOffset = offset;
      this.#trailer = decodeTrailer(content);
    }
    return [];
  }

  #takeChunk(ordinal: number, frameBytes: number, offset: number, content: Bytes): readonly ArchiveRecord[] {
    if (this.#chunks === 0) this.#index = new IndexBuilder(ordinal, offset);
    this.#chunksEnd = offset + frameBytes;
    this.#decoder ??= this.#newDecoder();
    try {
      const { complete, begun, first } = this.#decoder.decode(content);
      this.#chunks++;
      this.#records += begun;
      this.#uncompressedBytes += content.length;
      this.#index.add(frameBytes, begun, first ?? new Uint8Array(0));
      complete.forEach(checkRecord);
      return complete;
    } catch (error) {
      this.#decoder.skip();
      throw error instanceof Damage ? new Damage(`in chunk ${ordinal} ${error.message}`) : error;
    }
  }

  #newDecoder(): RecordDecoder<ArchiveRecord> {
    const toSeq = this.#details?.seq ?? Number.MAX_SAFE_INTEGER;
    const layout = this.#begin?.header.parent
      ? new ChangeLayout(this.#details?.from?.seq ?? 0, toSeq)
      : new EntryLayout();
    return new RecordDecoder<ArchiveRecord>(layout as never, this.#keepLongValues);
  }

  /** The index follows from the chunks: it is made again and compared. After damage that cannot be. */
  #checkIndex(content: Bytes): void {
    if (this.#problems > 0) return;
    const expected = this.#index.frames()[this.#indexFrames++];
    if (!expected || !equalBytes(expected, content)) throw new Damage('its index does not fit its chunks');
  }

  /** Only where nothing was wrong so far: otherwise counts differ anyway. */
  #checkEnd(): void {
    if (this.#problems > 0 || !this.#footer || !this.#begin) return;
    if (!this.#details || !this.#trailer) throw new Damage('it has no details or no trailer');
    const { entryCount, ...stated } = this.#trailer;
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
    if (this.#trailerOffset !== this.#footer.trailerOffset) throw new Damage('it does not end with its trailer');
    if (!this.#begin.header.parent && entryCount !== this.#records) throw new Damage('its entry count is wrong');
    if ((this.#begin.header.parent === undefined) !== (this.#details.from === undefined))
      throw new Damage('its header and its details do not agree on what it rests on');
  }

  #checkDigest(): void {
    if (this.#footer && !this.#footer.sha256.equals(this.#hash.digest()))
      this.#tell('checksum', 'The SHA-256 of the file does not fit.');
  }
}

function checkRecord(record: ArchiveRecord): void {
  if (!('value' in record) || 'scope' in record) return;
  if (!decodeKey(record.key)) throw new Damage(`the key ${printable(record.key)} is not one of a scope`);
}

const missing = (from: number, to: number) =>
  from === to ? `Frame ${from} is missing.` : `Frames ${from} to ${to} are missing.`;

/** `its chunk 3 …` → `Its chunk 3 ….` */
const sentence = (damage: string) => `${damage[0]!.toUpperCase()}${damage.slice(1)}.`;
