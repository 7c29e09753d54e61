import type { Bytes } from '../util/bytes.js';
import type { PackedPage } from './packed-page.js';

/** A range of keys in byte order; every bound that is absent is open. */
export interface KeyBounds {
  gte?: Bytes;
  gt?: Bytes;
  lt?: Bytes;
  lte?: Bytes;
}

/** Keys from one on and up to another, without that. */
export interface LoadRange {
  gte: Bytes;
  lt: Bytes;
}

export interface KeyRange extends KeyBounds {
  /** The largest number of entries; no limit where absent. */
  limit?: number;
  reverse?: boolean;
  /** Pages then hold empty values: cheaper where only names are wanted. */
  keysOnly?: boolean;
}

export type BackendEntry = readonly [key: Bytes, value: Bytes];

export type BackendOperation = { type: 'put'; key: Bytes; value: Bytes } | { type: 'del'; key: Bytes };

/** Changes `firstSeq`…`lastSeq`, in order, encoded (`history.ts`). A backend stores the bytes and does not look into them. */
export interface Segment {
  firstSeq: number;
  lastSeq: number;
  bytes: Bytes;
}

/** What one commit writes: entries, and the history segments (mostly one) that tell how they came about. */
export interface Batch {
  operations: readonly BackendOperation[];
  /** Ascending, and above every segment committed before. */
  segments?: readonly Segment[];
}

/** Reading, of the live data or of a snapshot. */
export interface BackendView {
  /** The value, or undefined. The caller must not change the bytes. */
  get(key: Bytes): Promise<Bytes | undefined>;
  getMany(keys: readonly Bytes[]): Promise<(Bytes | undefined)[]>;
  /** Entries in byte order of their keys (or the reverse), in pages of at most about 1 MiB; an empty page is never yielded. */
  iterate(range: KeyRange): AsyncIterable<readonly BackendEntry[]>;
  /** Every stored segment with `lastSeq > seq`, ascending: the first may begin at or below `seq`. */
  changesSince(seq: number): AsyncIterable<Segment>;
}

export interface BackendSnapshot extends BackendView {
  /** Frees it. Using it afterwards is an error. */
  close(): Promise<void>;
}

/**
 * Where state lives: ordered bytes, written in atomic batches. Everything above (scopes, values, generations, history,
 * backups) is built on this and does not know which backend it is.
 *
 * What an implementation promises, and what the conformance suite in `src/testing` checks:
 * - **Ordering.** `iterate` yields keys in unsigned byte order, whatever the order of the writes. Keys are 1 byte to
 *   128 KiB, values 0 bytes to at least 64 MiB.
 * - **Atomicity.** Of one batch everything or nothing is visible, to every reader, also after a crash: entries and segments
 *   together. Of two operations on one key in one batch the later one counts. Commits take effect in the order of the calls.
 * - **Durability.** With `sync`, the batch and all before it are on disk when the promise resolves. Without it a crash may
 *   lose a suffix of the commits, never one from the middle.
 * - **Snapshot isolation.** A snapshot shows what was committed before the call and nothing after it, until it is closed,
 *   while commits go on.
 * - **Changes.** `changesSince(seq)` yields segments in ascending order without gaps from the first one kept. Segments and
 *   entries of one commit are visible together.
 * - **Errors.** A failure is an `LlmspellError` with a `STATE_…` code that names the path. After a failed commit the data
 *   are as they were before it; a backend may refuse further commits until it is opened anew.
 */
export interface StateBackend extends BackendView {
  /** "memory", "level", …: for messages. */
  readonly kind: string;
  /** Whether entries are there again after the process ends. */
  readonly persistent: boolean;
  open(): Promise<void>;
  /** Waits for what is under way, then frees everything. Idempotent. */
  close(): Promise<void>;
  commit(batch: Batch, options: { sync: boolean }): Promise<void>;
  snapshot(): Promise<BackendSnapshot>;
  /** As `get`, at once; only where the backend can. */
  getSync?(key: Bytes): Bytes | undefined;
  /** Removes the segments that end at or below `seq`; resolves with the bytes freed. */
  trimChanges(seq: number): Promise<number>;
  /** Removes the segments that end above `seq`: the newest ones, which nothing points to yet. Not atomic. */
  dropChanges(seq: number): Promise<void>;
  /** Removes every entry in the range, in bounded memory; not atomic. For data that nothing points to any more. */
  clearRange(range: KeyBounds): Promise<void>;
  /**
   * Writes many entries at once, where the backend has a way that costs less than commits: pages in byte order of their keys, all keys different,
   * into a range that holds nothing and that nothing points to yet; nobody writes there meanwhile. When it resolves they are visible and on disk,
   * and were read back from there and found to be what was handed over. Where it fails, or the process ends before, nothing of it is visible.
   */
  load?(range: LoadRange, pages: AsyncIterable<PackedPage>): Promise<void>;
  /** From how many bytes on that is what costs less; 0 where this is absent. */
  readonly loadFromBytes?: number;
  /** Reads what the backend checks itself but no reading of entries would tell whole: one sentence for each thing that is wrong. */
  check?(): AsyncIterable<string>;
}
