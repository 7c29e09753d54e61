import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { errnoOf, LlmspellError } from '../../../errors.js';
import { type Bytes, compareBytes, compareRanges } from '../../../util/bytes.js';
import type { BackendEntry, KeyBounds, KeyRange, LoadRange } from '../../backend.js';
import { unpackPage } from '../../packed-page.js';
import { levelError } from '../level-errors.js';
import { mayHold } from './filter.js';
import { FOOTER_BYTES, readBlock, readFooter, readIndex, TableDamage, type TableIndex } from './format.js';
import { indexOfBlocks } from './rescue.js';

const read = promisify(fs.read);

/** Page limit; a page is at least one block. */
const PAGE_BYTES = 256 << 10;
/** The memory of larger blocks is not kept. */
const KEPT_BYTES = 1 << 20;
const NO_BYTES: Bytes = new Uint8Array(0);

/** What is told of a table beside its file. */
export interface TableFacts extends LoadRange {
  number: number;
  sizeBytes: number;
}

/** Neighbouring blocks that are read together: `from` and up to `to`, without that. */
interface Group {
  from: number;
  to: number;
}

/**
 * A table file (`format.ts`), open for reading. Nothing of it is read before it is needed. It stands as long as somebody holds it: first
 * whoever made this object.
 */
export class Table {
  readonly facts: TableFacts;
  readonly path: string;
  /** Whether the backend has marks that hide entries of it. */
  hasDeletions = false;
  /** Told what is damaged; then what can be read of that is read. */
  readonly #onDamage: ((problem: string) => void) | undefined;
  #descriptor: number | undefined;
  #index: TableIndex | undefined;
  #holders = 1;
  #reads = 0;
  #isClosed = false;
  #isRemoved = false;
  /** The block that was read last, by its number: memory that is used again, its entries, and where each key and value ends. */
  #memory = Buffer.alloc(0);
  #block = -1;
  #content: Bytes = NO_BYTES;
  #ends = new Uint32Array(1);

  constructor(path: string, facts: TableFacts, onDamage?: (problem: string) => void) {
    this.path = path;
    this.facts = facts;
    this.#onDamage = onDamage;
  }

  covers(key: Bytes): boolean {
    return compareBytes(key, this.facts.gte) >= 0 && compareBytes(key, this.facts.lt) < 0;
  }

  hold(): this {
    this.#holders++;
    return this;
  }

  /** Resolves when that has had its effect: whoever releases a removed table last removes its file. */
  async release(): Promise<void> {
    if (--this.#holders > 0) return;
    this.close();
    // A failure leaves a file that the next open removes.
    if (this.#isRemoved) await promisify(fs.unlink)(this.path).catch(() => undefined);
  }

  /** Has its file removed by whoever holds it last. */
  async remove(): Promise<void> {
    this.#isRemoved = true;
    await this.release();
  }

  /** Whoever still holds it can read no more of it. */
  close(): void {
    this.#isClosed = true;
    if (this.#descriptor === undefined || this.#reads > 0) return;
    fs.closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  /** A copy of the value. Throws `STATE_DAMAGED`. */
  get(key: Bytes): Bytes | undefined {
    const at = this.#find(key);
    // Not slice(): that of a Buffer shares its memory.
    return at < 0 ? undefined : new Uint8Array(this.#content.subarray(this.#ends[at], this.#ends[at + 1]));
  }

  has(key: Bytes): boolean {
    return this.#find(key) >= 0;
  }

  /** As of a backend, each page from one read; the next one is read while one is used. A limit is for the caller to keep. */
  async *pages(range: KeyRange): AsyncGenerator<BackendEntry[]> {
    const groups = this.#guard(() => this.#groups(range));
    let next = this.#readGroup(groups[0]);
    for (let i = 0; i < groups.length; i++) {
      const bytes = (await next)!;
      next = this.#readGroup(groups[i + 1]);
      // Told when it is waited for; nobody may.
      next.catch(() => undefined);
      const entries = this.#entries(bytes, groups[i]!, range);
      if (entries.length > 0) yield entries;
    }
  }

  /** Reads all of it; one sentence for each thing that is wrong. */
  async *check(): AsyncGenerator<string> {
    let index: TableIndex;
    try {
      index = this.#guard(() => this.#opened());
    } catch (error) {
      yield (error as LlmspellError).message;
      return;
    }
    for (let block = 0; block < index.count; block++) {
      const bytes = (await this.#readGroup({ from: block, to: block + 1 }))!;
      try {
        readBlock(bytes, 0);
      } catch (error) {
        yield this.#damaged(error as Error, block).message;
      }
    }
  }

  /** Which of the block's keys and values the value is; -1 where it is not there. Makes that block the one that was read last. */
  #find(key: Bytes): number {
    return this.#guard(() => {
      const index = this.#opened();
      const block = index.blockOf(key);
      if (block < 0 || !mayHold(index.filter(block), key)) return -1;
      if (block !== this.#block) this.#readOne(index, block);
      const ends = this.#ends;
      let low = 0;
      let high = (ends.length - 1) / 2;
      while (low < high) {
        const middle = (low + high) >>> 1;
        const order = compareRanges(this.#content, ends[2 * middle]!, ends[2 * middle + 1]!, key, 0, key.length);
        if (order === 0) return 2 * middle + 1;
        if (order < 0) low = middle + 1;
        else high = middle;
      }
      return -1;
    });
  }

  #readOne(index: TableIndex, block: number): void {
    const sizeBytes = index.offsets[block + 1]! - index.offsets[block]!;
    const isKept = sizeBytes <= KEPT_BYTES;
    const memory = this.#memory.length >= sizeBytes ? this.#memory : Buffer.allocUnsafeSlow(sizeBytes);
    if (isKept) this.#memory = memory;
    this.#block = -1;
    const bytes = memory.subarray(0, sizeBytes);
    fs.readSync(this.#descriptor!, bytes, 0, sizeBytes, index.offsets[block]!);
    try {
      const { bytes: content, lengths } = readBlock(bytes, 0);
      this.#content = content;
      this.#ends = new Uint32Array(lengths.length + 1);
      for (let i = 0; i < lengths.length; i++) this.#ends[i + 1] = this.#ends[i]! + lengths[i]!;
    } catch (error) {
      throw this.#damaged(error as Error, block);
    }
    if (isKept) this.#block = block;
  }

  /** In the order of the iteration. */
  #groups({ gte, gt, lt, lte, reverse }: KeyRange): Group[] {
    const index = this.#opened();
    const [low, high] = [gt ?? gte, lt ?? lte];
    const begin = low === undefined ? 0 : Math.max(0, index.blockOf(low));
    const end = high === undefined ? index.count : index.blockOf(high) + 1;
    const groups: Group[] = [];
    for (let from = begin; from < end; ) {
      let to = from + 1;
      while (to < end && index.offsets[to + 1]! - index.offsets[from]! <= PAGE_BYTES) to++;
      groups.push({ from, to });
      from = to;
    }
    return reverse ? groups.reverse() : groups;
  }

  async #readGroup(group: Group | undefined): Promise<Buffer | undefined> {
    if (group === undefined) return undefined;
    const { offsets } = this.#opened();
    const sizeBytes = offsets[group.to]! - offsets[group.from]!;
    const bytes = Buffer.allocUnsafeSlow(sizeBytes);
    this.#reads++;
    try {
      await read(this.#descriptor!, bytes, 0, sizeBytes, offsets[group.from]!);
      return bytes;
    } catch (error) {
      throw levelError(error, this.path);
    } finally {
      this.#reads--;
      if (this.#isClosed) this.close();
    }
  }

  #entries(bytes: Buffer, { from, to }: Group, range: KeyRange): BackendEntry[] {
    const { offsets } = this.#index!;
    const entries: [Bytes, Bytes][] = [];
    for (let block = from; block < to; block++)
      for (const entry of this.#entriesOf(block, bytes, offsets[block]! - offsets[from]!)) {
        if (range.keysOnly) entry[1] = NO_BYTES;
        entries.push(entry);
      }
    const isWhole = isInside(entries[0]![0], range) && isInside(entries.at(-1)![0], range);
    const found = isWhole ? entries : entries.filter(([key]) => isInside(key, range));
    return range.reverse ? found.reverse() : found;
  }

  #entriesOf(block: number, bytes: Buffer, at: number): [Bytes, Bytes][] {
    try {
      return unpackPage(readBlock(bytes, at));
    } catch (error) {
      const damage = this.#damaged(error as Error, block);
      if (this.#onDamage === undefined) throw damage;
      this.#onDamage(damage.message);
      return this.#readableOf(block, bytes, at);
    }
  }

  /** Values carry a checksum of their own, which tells which of them to trust; one without any stands for a block that has none. */
  #readableOf(block: number, bytes: Buffer, at: number): [Bytes, Bytes][] {
    try {
      return unpackPage(readBlock(bytes, at, true));
    } catch {
      return [[this.#index!.firstKey(block), NO_BYTES]];
    }
  }

  /** Opens the file and reads its index, once. */
  #opened(): TableIndex {
    if (this.#isClosed) throw new LlmspellError('STATE_CLOSED', `The state in ${this.path} is closed.`);
    if (this.#index !== undefined) return this.#index;
    this.#descriptor ??= fs.openSync(this.path, 'r');
    try {
      this.#index = this.#readIndex(this.#descriptor);
    } catch (error) {
      if (this.#onDamage === undefined) throw error;
      this.#onDamage(this.#damaged(error as Error).message);
      this.#index = indexOfBlocks(this.#descriptor, fs.fstatSync(this.#descriptor).size);
    }
    return this.#index;
  }

  #readIndex(descriptor: number): TableIndex {
    const { sizeBytes } = this.facts;
    const end = Buffer.alloc(FOOTER_BYTES);
    const endBytes = fs.readSync(descriptor, end, 0, FOOTER_BYTES, Math.max(0, sizeBytes - FOOTER_BYTES));
    const footer = readFooter(end.subarray(0, endBytes));
    if (footer.indexOffset + footer.indexBytes + FOOTER_BYTES !== sizeBytes)
      throw new TableDamage('its end contradicts its size');
    const bytes = Buffer.allocUnsafeSlow(footer.indexBytes);
    fs.readSync(descriptor, bytes, 0, bytes.length, footer.indexOffset);
    return readIndex(bytes, footer);
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof TableDamage) throw this.#damaged(error);
      throw errnoOf(error) === 'ENOENT' ? missingTable(this.path) : levelError(error, this.path);
    }
  }

  #damaged({ message }: Error, block?: number): LlmspellError {
    const where = block === undefined ? '' : ` (from its byte ${this.#index!.offsets[block]} on)`;
    return new LlmspellError(
      'STATE_DAMAGED',
      `A file of the stored state is damaged, ${message}${where}: ${this.path}.`,
      {
        subject: this.path,
      },
    );
  }
}

export const missingTable = (path: string): LlmspellError =>
  new LlmspellError('STATE_DAMAGED', `A file of the stored state is missing: ${path}.`, { subject: path });

const isInside = (key: Bytes, { gte, gt, lt, lte }: KeyBounds): boolean =>
  (gte === undefined || compareBytes(key, gte) >= 0) &&
  (gt === undefined || compareBytes(key, gt) > 0) &&
  (lt === undefined || compareBytes(key, lt) < 0) &&
  (lte === undefined || compareBytes(key, lte) <= 0);
