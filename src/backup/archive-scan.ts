import { createHash } from 'node:crypto';
import { LlmspellError } from '../errors.js';
import { throwIfAborted } from '../util/abort.js';
import type { Bytes } from '../util/bytes.js';
import { mapInOrder } from '../util/in-order.js';
import { ArchiveContents, type ArchivePage } from './archive-contents.js';
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
import { infoOf } from './archive-metadata.js';
import { CHUNKS_READ_AT_ONCE } from './compression.js';
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

/** A frame as it was found, with its content where it could be opened. */
interface Opened {
  scanned: Scanned;
  content?: Bytes;
  problem?: ArchiveProblem;
}

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
  #contents: ArchiveContents | undefined;
  #expectedOrdinal = 0;
  #rank = 0;

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
    const { details, trailer } = this.#contents ?? {};
    const inner = details && trailer && { details, trailer };
    if (this.#box && !inner) return undefined;
    return infoOf(this.#begin.header, inner, fileOf(this.#source, this.#footer));
  }

  /** Runs the scan; the records of each chunk that can be read. Throws only what is no damage: `ABORTED`, a source that fails. */
  async *run(): AsyncGenerator<ArchivePage> {
    this.#begin = await this.#attempt('checksum', () => readHeader(this.#source));
    if (!this.#begin) return;
    const begin = this.#begin;
    this.#contents = new ArchiveContents(begin.header.parent !== undefined, this.#keepLongValues);
    this.#footer = await this.#attempt('checksum', () => readFooter(this.#source));
    this.#box = await this.#attempt('key', () => boxOf(begin, this.#options.key, this.#source.name));
    const file = new SequentialFile(this.#source, this.#source.sizeBytes, (block) => this.#hashBlock(block));
    const end = this.#source.sizeBytes - (this.#footer ? FOOTER_BYTES : 0);
    for await (const opened of mapInOrder(scanFrames(file, begin.head.length, end), CHUNKS_READ_AT_ONCE, (it) =>
      this.#open(it),
    )) {
      throwIfAborted(this.#options.signal);
      const pages = await this.#attempt('integrity', async () => this.#take(opened));
      for (const page of pages ?? []) if (page.length > 0) yield page;
      this.#options.onProgress?.(opened.scanned.offset, this.#source.sizeBytes);
    }
    await file.drain();
    const { trailerOffset } = this.#footer ?? {};
    if (this.#problems === 0 && trailerOffset !== undefined)
      await this.#attempt('integrity', async () => this.#contents?.checkEnd(trailerOffset));
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

  #take({ scanned, content, problem }: Opened): readonly ArchivePage[] {
    if (!('header' in scanned)) {
      this.#contents?.skip();
      this.#tell('checksum', `${scanned.gapBytes} bytes from ${scanned.offset} on are not what was written.`);
      return [];
    }
    this.#checkPlace(scanned.header);
    if (problem) {
      this.#contents?.skip();
      this.#tell(problem.kind, problem.message);
    }
    if (!content || !this.#contents) return [];
    const place = { ...scanned.header, offset: scanned.offset, frameBytes: scanned.bytes.length };
    return this.#contents.take(place, content, this.#problems === 0);
  }

  /** Every frame has its number, and the kinds follow one another. */
  #checkPlace({ type, ordinal }: FrameHeader): void {
    const expected = this.#expectedOrdinal;
    this.#expectedOrdinal = ordinal + 1;
    const outOfPlace = RANK[type] < this.#rank || (type === 'D') !== (ordinal === 0);
    this.#rank = RANK[type];
    if (ordinal !== expected) {
      this.#contents?.skip();
      this.#tell(
        'integrity',
        ordinal > expected ? missing(expected, ordinal - 1) : `Frame ${ordinal} stands where frame ${expected} must.`,
      );
    } else if (outOfPlace) {
      this.#tell('integrity', `The ${frameName(type, ordinal)} stands where it must not.`);
    }
  }

  #checkDigest(): void {
    if (this.#footer && !this.#footer.sha256.equals(this.#hash.digest()))
      this.#tell('checksum', 'The SHA-256 of the file does not fit.');
  }
}

const missing = (from: number, to: number) =>
  from === to ? `Frame ${from} is missing.` : `Frames ${from} to ${to} are missing.`;

/** `its chunk 3 …` → `Its chunk 3 ….` */
const sentence = (damage: string) => `${damage[0]!.toUpperCase()}${damage.slice(1)}.`;
