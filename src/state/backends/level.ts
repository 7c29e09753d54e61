import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { LlmspellError } from '../../errors.js';
import type { Bytes } from '../../util/bytes.js';
import { makeDirectory } from '../../util/make-directory.js';
import type { BackendEntry, BackendOperation, Batch, KeyBounds, KeyRange, Segment, StateBackend } from '../backend.js';
import { type LevelBatch, LevelBatches } from './level-batches.js';
import { settleCompaction } from './level-compaction.js';
import { isLocked, levelError, lockedError } from './level-errors.js';
import { checkFiles, damagedLog, hasDroppedRecords, logBytes, newestLog } from './level-files.js';
import { type Holder, readHolder, writeHolder } from './level-holder.js';
import {
  entryKey,
  FORMAT_KEY,
  formatMark,
  NO_KEY,
  ownKey,
  readFormatMark,
  readSegmentKey,
  segmentKey,
  segmentOf,
  segmentsAbove,
  segmentsUpTo,
  toLevelBounds,
} from './level-keys.js';
import { LevelScanner } from './level-scanner.js';
import { TabledBackend, type TabledOptions, type UpperBackend, type UpperView } from './tables/tabled.js';

export interface LevelBackendOptions extends Pick<TabledOptions, 'loadFromBytes'> {
  /** Made where it is missing, with mode 0700. Holds `db/` (LevelDB's files), `tables/` (what was loaded at once) and `holder.json`. */
  directory: string;
  /** Of LevelDB's cache of uncompressed blocks. Default 64 MiB. */
  cacheBytes?: number;
  /** Opens what {@link repairLevelFiles} left, whatever is missing of it, and tells what is damaged of the rest. */
  onDamage?: (problem: string) => void;
}

type Database = Level<Bytes, Bytes>;
/** In Node `level` is `classic-level`; its declared type is what browsers have too. */
type Compactable = Database & {
  compactRange(start: Bytes, end: Bytes): Promise<void>;
  approximateSize(start: Bytes, end: Bytes): Promise<number>;
  getProperty(name: string): string;
};
type Repairer = { repair(location: string): Promise<void> };
type DatabaseSnapshot = ReturnType<Database['snapshot']>;

const WRITE_BUFFER_BYTES = 8 << 20;
const LONG_LOG_BYTES = 1 << 20;
/** From this size on, snapshots are read on a thread of their own, which takes some 50 ms to start. */
const SCANNER_FROM_BYTES = 8 << 20;
const ABOVE_ALL: Bytes = new Uint8Array(16).fill(0xff);
/** Page limits: small enough that making a page's buffers does not hold up a writer on the same thread for long. */
const PAGE_ENTRIES = 500;
const PAGE_BYTES = 256 << 10;

/** Directories open in this process: LevelDB's lock holds off other processes only. */
const openDirectories = new Set<string>();

/**
 * State in LevelDB (`classic-level`). One process at a time. Its known weaknesses, where they touch a promise of
 * {@link StateBackend}, are met here:
 * - it does not sync a new store's first manifest: the first write of a new store is synced;
 * - a synced write does not cover earlier unsynced ones that lie in an older log file: these are synced first, where need
 *   be by moving the write buffer into a table, which is synced. (Commits that are never followed by a synced one may, after a
 *   power cut, be missing from the middle where a log ends; after a killed process they are not.);
 * - its thread pool may reorder writes that are under way together: they go one after the other;
 * - after a failed write its log may end in half a record, after which later ones would be lost: nothing more is written
 *   until the store is opened anew;
 * - where `CURRENT` or the log is missing it begins with an empty store, and records of the log that are damaged it leaves
 *   out: see `level-files.ts`.
 *
 * It does not verify checksums when it reads: the store keeps one with every value. What no checksum of ours can notice is a
 * flipped bit that hides an entry (in its key, in an index, in a filter): a full check of the store does (`check.ts`).
 */
export function createLevelBackend(options: LevelBackendOptions): StateBackend {
  return new TabledBackend(new LevelBackend(options), options);
}

/**
 * LevelDB's own repair of the files in `directory`: a new manifest over every table and log that can be read. What it cannot
 * read it drops.
 */
export async function repairLevelFiles(directory: string): Promise<void> {
  try {
    await (Level as unknown as Repairer).repair(join(directory, 'db'));
  } catch (error) {
    throw levelError(error, directory);
  }
}

type PagedRange = KeyRange & { firstPage?: number };
type OwnBatch = Batch & { own?: readonly BackendOperation[] };

/** A snapshot that the scanning thread took at the same moment. */
interface Scan {
  scanner: LevelScanner;
  snapshot: number;
}

class LevelView implements UpperView {
  readonly directory: string;
  readonly #database: Database | undefined;
  readonly #snapshot: DatabaseSnapshot | undefined;
  readonly #scan: Scan | undefined;

  constructor(directory: string, database?: Database, snapshot?: DatabaseSnapshot, scan?: Scan) {
    this.directory = directory;
    this.#database = database;
    this.#snapshot = snapshot;
    this.#scan = scan;
  }

  protected get database(): Database {
    if (this.#database === undefined) throw closed(this.directory);
    return this.#database;
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    return await this.guard(() => this.database.get(entryKey(key), this.#at()));
  }

  async getMany(keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    return await this.guard(() => this.database.getMany(keys.map(entryKey), this.#at()));
  }

  async *iterate({
    limit,
    reverse,
    keysOnly,
    firstPage,
    ...bounds
  }: PagedRange): AsyncIterable<readonly BackendEntry[]> {
    const range: PagedRange = toLevelBounds(bounds);
    if (limit !== undefined) range.limit = limit;
    if (firstPage !== undefined) range.firstPage = firstPage;
    if (reverse) range.reverse = true;
    if (keysOnly) range.keysOnly = true;
    for await (const page of this.pages(range)) {
      for (const entry of page) {
        entry[0] = ownKey(entry[0]);
        entry[1] ??= NO_BYTES;
      }
      yield page;
    }
  }

  getOwn(key: Bytes): Bytes | undefined {
    try {
      return this.database.getSync(key, this.#at());
    } catch (error) {
      throw levelError(error, this.directory);
    }
  }

  ownEntries(range: KeyRange): AsyncIterable<readonly BackendEntry[]> {
    return this.pages(range);
  }

  async *changesSince(seq: number): AsyncIterable<Segment> {
    for await (const page of this.pages(segmentsAbove(seq))) yield* page.map(segmentOf);
  }

  async close(): Promise<void> {
    await this.#snapshot?.close();
    await this.#scan?.scanner.release(this.#scan.snapshot);
  }

  protected pages(range: PagedRange): AsyncIterable<[Bytes, Bytes][]> {
    const isLong = this.#scan !== undefined && range.limit === undefined && range.firstPage === undefined;
    return isLong ? this.#scan.scanner.pages(this.#scan.snapshot, range) : this.#pagesHere(range);
  }

  async *#pagesHere({ keysOnly, firstPage = PAGE_ENTRIES, ...range }: PagedRange): AsyncIterable<[Bytes, Bytes][]> {
    const options = { ...range, ...this.#at(), values: !keysOnly, fillCache: false, highWaterMarkBytes: PAGE_BYTES };
    const iterator = await this.guard(async () => this.database.iterator(options));
    try {
      for (let size = Math.max(1, Math.min(firstPage, PAGE_ENTRIES)); ; size = PAGE_ENTRIES) {
        const page = await this.guard(() => iterator.nextv(size));
        if (page.length === 0) return;
        yield page;
      }
    } finally {
      await iterator.close();
    }
  }

  protected async guard<T>(operation: () => Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      throw levelError(error, this.directory);
    }
  }

  #at(): { snapshot?: DatabaseSnapshot } {
    return this.#snapshot === undefined ? {} : { snapshot: this.#snapshot };
  }
}

class LevelBackend extends LevelView implements UpperBackend {
  readonly kind = 'level';
  readonly persistent = true;
  readonly #cacheBytes: number;
  readonly #isSalvage: boolean;
  #open: Database | undefined;
  #batches: LevelBatches | undefined;
  /** From the call of `close` on nothing new is begun; what was begun before is waited for. */
  #isClosing = false;
  #scanner: LevelScanner | undefined;
  #registered: string | undefined;
  /** The end of the line of commits. */
  #line: Promise<unknown> = Promise.resolve();
  #failure: LlmspellError | undefined;
  /** Open, with all its content. */
  #isSound = false;
  /** Since the store was made. */
  #commits = 0;
  /** Where there are unsynced commits: the log file that was written before the first of them. */
  #unsyncedFromLog: string | undefined;

  constructor({ directory, cacheBytes = 64 << 20, onDamage }: LevelBackendOptions) {
    super(directory);
    this.#isSalvage = onDamage !== undefined;
    this.#cacheBytes = cacheBytes;
  }

  protected override get database(): Database {
    if (this.#open === undefined || this.#isClosing) throw closed(this.directory);
    return this.#open;
  }

  async open(): Promise<void> {
    const path = await this.guard(async () => {
      await makeDirectory(this.directory, 0o700);
      return await realpath(this.directory);
    });
    if (openDirectories.has(path)) throw await lockedError(this.directory);
    openDirectories.add(path);
    this.#registered = path;
    try {
      await this.#openDatabase();
    } catch (error) {
      await this.close();
      throw isLocked(error) ? await lockedError(this.directory, error) : levelError(error, this.directory);
    }
  }

  async #openDatabase(): Promise<void> {
    const holder = await readHolder(this.directory);
    const isNew = !this.#isSalvage && (await checkFiles(this.directory, holder !== undefined));
    const database: Database = new Level(join(this.directory, 'db'), {
      keyEncoding: 'view',
      valueEncoding: 'view',
      cacheSize: this.#cacheBytes,
      writeBufferSize: WRITE_BUFFER_BYTES,
      // The scanning thread opens it too.
      multithreading: true,
    });
    await database.open();
    this.#open = database;
    this.#batches = new LevelBatches(database);
    if (isNew) await database.put(FORMAT_KEY, formatMark(0), { sync: true });
    if (!this.#isSalvage) await this.#checkContent(holder);
    await writeHolder(this.directory);
    this.#isSound = true;
  }

  /** Everything that was there at a clean close must be there; after a crash, a prefix of the commits without a gap. */
  async #checkContent(holder: Holder | undefined): Promise<void> {
    const mark = await this.database.get(FORMAT_KEY);
    const commits = mark && readFormatMark(mark);
    if (commits === undefined)
      throw new LlmspellError(
        'STATE_UNAVAILABLE',
        `The state in ${this.directory} is of a format that is not known here.`,
        {
          subject: this.directory,
          hint: 'Use the version of llmspell that wrote it.',
        },
      );
    this.#commits = commits;
    const missing = (holder?.closedAtCommit ?? 0) - commits;
    if (missing > 0) throw damagedLog(this.directory, `the last ${missing} commits are lost`);
    const isSuspect = holder?.isLogDamaged ?? (await hasDroppedRecords(this.directory));
    if (!isSuspect || !(await this.#hasGap())) return;
    await writeHolder(this.directory, { isLogDamaged: true });
    throw damagedLog(this.directory, 'commits are lost in the middle of it');
  }

  async #hasGap(): Promise<boolean> {
    let last: number | undefined;
    for await (const page of this.pages({ ...segmentsAbove(0), keysOnly: true }))
      for (const [key] of page) {
        const { firstSeq, lastSeq } = readSegmentKey(key);
        if (last !== undefined && firstSeq !== last + 1) return true;
        last = lastSeq;
      }
    return false;
  }

  override async close(): Promise<void> {
    this.#isClosing = true;
    // What the store has flushed is on disk; only that this close was a clean one cannot be told, where this fails.
    const isClean = await this.#inLine(() => this.#settle()).catch(() => false);
    // Its handle keeps LevelDB open, too.
    await this.#scanner?.close();
    this.#scanner = undefined;
    const database = this.#open;
    this.#open = undefined;
    this.#batches = undefined;
    // Before the lock is given up: whoever waits for it writes its own name there.
    if (isClean) await writeHolder(this.directory, { closedAtCommit: this.#commits });
    if (database !== undefined) await this.guard(() => database.close());
    if (this.#registered !== undefined) openDirectories.delete(this.#registered);
    this.#registered = undefined;
    this.#isClosing = false;
    this.#failure = undefined;
  }

  /** Whether everything committed is on disk now, in a place that is quick to open. */
  async #settle(): Promise<boolean> {
    if (!this.#isSound || this.#failure !== undefined) return false;
    this.#isSound = false;
    if (this.#unsyncedFromLog !== undefined)
      await this.#write(this.#batches!.take().put(FORMAT_KEY, formatMark(this.#commits)), true);
    // Once here instead of at every open until then: an open takes as long as the log is.
    if ((await logBytes(this.directory)) > LONG_LOG_BYTES) await this.#emptyWriteBuffer();
    await settleCompaction(this.#open as Compactable, this.#batches!.writtenBytes);
    return true;
  }

  /** Into a table, which LevelDB syncs. A range above every key: nothing else is compacted. */
  async #emptyWriteBuffer(): Promise<void> {
    await (this.#open as Compactable).compactRange(ABOVE_ALL, ABOVE_ALL);
  }

  getSync(key: Bytes): Bytes | undefined {
    try {
      return this.database.getSync(entryKey(key));
    } catch (error) {
      throw levelError(error, this.directory);
    }
  }

  async commit({ operations, segments = [], own = [] }: OwnBatch, { sync }: { sync: boolean }): Promise<void> {
    const batch = this.#batch();
    // Bulk that nothing points to yet is not counted: a mark in each of its tables would make them all overlap, and LevelDB merge
    // again and again what lies in order as it is.
    if (sync || segments.length > 0) {
      this.#commits++;
      batch.put(FORMAT_KEY, formatMark(this.#commits));
    }
    for (const operation of operations) {
      if (operation.type === 'put') batch.put(entryKey(operation.key), operation.value);
      else batch.del(entryKey(operation.key));
    }
    for (const operation of own) {
      if (operation.type === 'put') batch.put(operation.key, operation.value);
      else batch.del(operation.key);
    }
    for (const segment of segments) batch.put(segmentKey(segment), segment.bytes);
    await this.#inLine(() => this.#write(batch, sync));
  }

  #batch(): LevelBatch {
    if (this.#batches === undefined || this.#isClosing) throw closed(this.directory);
    return this.#batches.take();
  }

  async #write(batch: LevelBatch, sync: boolean): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      if (!sync) this.#unsyncedFromLog ??= await newestLog(this.directory);
      else await this.#syncEarlierCommits();
      await batch.write({ sync });
    } catch (error) {
      this.#failure = levelError(error, this.directory);
      throw this.#failure;
    }
  }

  /**
   * Before a synced commit, not with it: LevelDB may begin a new log with any write, and syncs the new one only. After a power
   * cut the commit would then be there and those before it not.
   */
  async #syncEarlierCommits(): Promise<void> {
    const from = this.#unsyncedFromLog;
    if (from === undefined) return;
    const isOneLog = from === (await newestLog(this.directory));
    if (isOneLog) await this.#batches!.take().del(NO_KEY).write({ sync: true });
    // Tables are made in the order of the logs; syncing the newer log first would leave a gap.
    if (from !== (await newestLog(this.directory))) await this.#emptyWriteBuffer();
    this.#unsyncedFromLog = undefined;
  }

  async #inLine<T>(operation: () => Promise<T>): Promise<T> {
    const result = this.#line.then(operation, operation);
    this.#line = result.catch(() => undefined);
    return await result;
  }

  pinned(): LevelView {
    return new LevelView(this.directory, this.database, this.database.snapshot());
  }

  async snapshot(): Promise<LevelView> {
    const isLarge = (await this.#tableBytes()) > SCANNER_FROM_BYTES;
    if (isLarge) this.#scanner ??= new LevelScanner(this.directory);
    const scanner = this.#scanner;
    // In line: it shows the commits called before, and both threads see the same ones.
    return await this.#inLine(async () => {
      const snapshot = this.database.snapshot();
      const scan = scanner && { scanner, snapshot: await scanner.snapshot() };
      return new LevelView(this.directory, this.database, snapshot, scan);
    });
  }

  /** Roughly, and without what is in the write buffer. */
  async #tableBytes(): Promise<number> {
    return await this.guard(() => (this.database as Compactable).approximateSize(FORMAT_KEY, ABOVE_ALL));
  }

  async trimChanges(seq: number): Promise<number> {
    let freed = 0;
    await this.#delete({ ...segmentsUpTo(seq), keysOnly: true }, (key) => {
      freed += readSegmentKey(key).sizeBytes;
    });
    return freed;
  }

  async dropChanges(seq: number): Promise<void> {
    await this.#delete({ ...segmentsAbove(seq), keysOnly: true }, () => undefined);
  }

  async clearRange(bounds: KeyBounds): Promise<void> {
    await this.#delete({ ...toLevelBounds(bounds), keysOnly: true }, () => undefined);
  }

  async clearOwn(bounds: KeyBounds): Promise<void> {
    await this.#delete({ ...bounds, keysOnly: true }, () => undefined);
  }

  /** In batches that take turns with other commits, so that writers are not held up. */
  async #delete(range: KeyRange, each: (key: Bytes) => void): Promise<void> {
    for await (const page of this.pages(range)) {
      const batch = this.#batch();
      for (const [key] of page) {
        each(key);
        batch.del(key);
      }
      await this.#inLine(() => this.#write(batch, false));
    }
  }
}

const NO_BYTES: Bytes = new Uint8Array(0);
const closed = (directory: string): LlmspellError =>
  new LlmspellError('STATE_CLOSED', `The state in ${directory} is closed.`);
