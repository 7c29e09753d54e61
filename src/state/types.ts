import type { Bytes } from '../util/bytes.js';
import type { Clock } from '../util/clock.js';
import type { NameSet } from '../util/name-set.js';
import type { EntryPage } from './entry-page.js';

/** One change as a caller hands it in: `value` is MessagePack (see `codec.ts`), `null` deletes. */
export interface Change {
  scope: Bytes;
  key: Bytes;
  value: Bytes | null;
  /** When it was made; the store never lets it go back. Default: when the store takes it. */
  timeMs?: number;
}

/**
 * Many changes in one block of bytes, in order, walked once: `next` moves to the next one (false at the end), and the fields tell where it
 * lies. For who has many: an object for each would cost more than storing it. Names and values must be such as `write` takes.
 */
export interface ChangeBatch {
  readonly bytes: Bytes;
  next(): boolean;
  /** The same object as long as it is the same scope. */
  readonly scope: Bytes;
  readonly keyAt: number;
  readonly keyBytes: number;
  /** The value follows its key; 0: deleted. */
  readonly valueBytes: number;
  /** `hashOfName` of scope and key. */
  readonly hash: number;
  readonly timeMs: number;
}

/** One change as history has it. */
export interface RecordedChange {
  seq: number;
  timeMs: number;
  scope: Bytes;
  key: Bytes;
  value: Bytes | null;
}

/**
 * A restore as history has it: at `seq` the whole state became what it had been at `toSeq` of the store `storeId`
 * (in a new generation). A restore of some scopes only is recorded as ordinary changes instead.
 */
export interface RecordedRewind {
  seq: number;
  timeMs: number;
  rewind: { storeId: string; toSeq: number; toTimeMs: number; source: string };
}

export type HistoryRecord = RecordedChange | RecordedRewind;

export interface StoredValue {
  value: Bytes;
  /** The sequence number of the change that wrote it. */
  seq: number;
}

/** An entry as it travels in bulk: `key` is scope and key together (`key.ts`), `value` MessagePack with its checksum verified. */
export interface RawEntry {
  key: Bytes;
  value: Bytes;
}

export interface ListOptions {
  prefix?: Bytes;
  /** Only keys after this one, in byte order. */
  after?: Bytes;
  limit?: number;
}

/** From change `seq` on the state is of this version of its schema; without `version`, of none. */
export interface SchemaMark {
  seq: number;
  version?: string;
}

/** A moment of one store. */
export interface Position {
  storeId: string;
  seq: number;
  timeMs: number;
}

/**
 * A consistent view of the whole state at one moment: writers go on while it is read.
 * Every method throws `STATE_DAMAGED`, naming scope and key, where a stored checksum does not fit.
 */
export interface StateSnapshot extends Position {
  /** The version of the schema that it is of; undefined where it has none. */
  readonly schemaVersion: string | undefined;
  get(scope: Bytes, key: Bytes): Promise<Bytes | undefined>;
  list(scope: Bytes, options?: ListOptions): Promise<Bytes[]>;
  scopes(): Promise<Bytes[]>;
  /** All entries, or those of some scopes, in byte order of their raw keys, in pages. */
  entries(scopes?: readonly Bytes[]): AsyncIterable<readonly RawEntry[]>;
  /** As `entries`, for less: values are not read, and what there is in their place means nothing. */
  keys(scopes?: readonly Bytes[]): AsyncIterable<readonly RawEntry[]>;
  close(): Promise<void>;
}

/** The present, with the changes that led to it. */
export interface LiveSnapshot extends StateSnapshot {
  /** The sequence number from which on every change is still kept: changes with `seq > historyStart` are there. */
  readonly historyStart: number;
  /** When that change was made; 0 where it is the beginning of everything. */
  readonly historyStartMs: number;
  /** Set where the state was restored whole from a backup: the changes since then are those above `seq`, made at or after `timeMs`. */
  readonly restoredFrom: { backupId: string; seq: number; timeMs: number } | undefined;
  /** Which versions of its schema it has been of, ascending. */
  readonly schemaMarks: readonly SchemaMark[];
  /** Every change above `seq`, ascending. Throws `HISTORY_UNREACHABLE` where `seq < historyStart`. */
  changesSince(seq: number): AsyncIterable<readonly HistoryRecord[]>;
}

/** What builds a state up: a value under a raw key, or null for none. */
export interface RawWrite {
  key: Bytes;
  value: Bytes | null;
}

/** A state under construction beside the live one, invisible until `activate`. */
export interface GenerationWriter {
  /** Later puts of a key replace earlier ones; `value: null` removes. Not yet durable. Pages in byte order of their keys are written fastest. */
  write(entries: EntryPage | readonly RawWrite[]): Promise<void>;
  /** What has been written so far, in byte order, read back from the backend with its checksums verified. */
  entries(scopes?: readonly Bytes[]): AsyncIterable<readonly RawEntry[]>;
  /**
   * Reads back all that has been written so far, checking every checksum, and tells whether it is exactly what was handed to `write`, in the same
   * order: by CRC-32s taken from the bytes before they were written and from those that were read. False also where keys were written out of
   * order or more than once. Throws `STATE_DAMAGED`.
   */
  verify(onProgress?: (entries: number) => void): Promise<boolean>;
  /**
   * Makes it the state, in one atomic synced commit, and records it in history. Writes that were accepted before it are in the old
   * generation; those after it go to the new one. The old generation stays as a rollback point.
   * With `expectedSeq`, throws `RESTORE_FAILED` and changes nothing where the state changed since. With `changes`, the writes of others wait
   * while they are read and recorded; so what reads them may bring the generation up to date first.
   */
  activate(origin: GenerationOrigin): Promise<ActivatedGeneration>;
  /** Throws it away. Idempotent; after `activate` it does nothing. */
  discard(): Promise<void>;
}

export interface GenerationOrigin {
  /** For people and for history: `backup 3f9a…`, `rollback …`, `migration 2.0.0`. */
  description: string;
  /** Set for a whole restore: the moment that the state is taken back to, and the backup it came from. */
  rewind?: { position: Position; backupId?: string };
  /** Otherwise: the changes that lead from the old generation to the new one, recorded one by one. */
  changes?: AsyncIterable<readonly Change[]>;
  /** The version of the schema that the generation is of (undefined: of none). Without it that of the state stays. */
  schema?: { version: string | undefined };
  /** Whether the old generation stays as a rollback point. Default true. */
  keepOld?: boolean;
  expectedSeq?: number;
  receipt?: Receipt<ActivatedGeneration>;
}

export interface ActivatedGeneration {
  seq: number;
  /** The rollback point that takes the state back to before; absent with `keepOld: false`. */
  rollbackId?: string;
}

/** An old generation that is kept: swapping back to it undoes a restore. */
export interface RollbackPoint {
  /** `rollback-<seq>`. */
  id: string;
  seq: number;
  timeMs: number;
  createdAtMs: number;
  description: string;
}

/** What a write did: the number of the last change accepted, and how many changes had an effect. */
export interface Written {
  seq: number;
  effective: number;
}

/** What was read of a key for a conditional commit; `seq` 0: it was not there. */
export interface ReadCheck {
  scope: Bytes;
  key: Bytes;
  seq: number;
}

/**
 * A record, as of `setMeta`, that is written in the same commit as the change it tells of: after a crash both are there, or
 * neither.
 */
export interface Receipt<Effect> {
  name: string;
  /** Called when the change has its numbers, before it is committed. */
  content(effect: Effect): Bytes;
}

export interface HistoryOptions {
  limit?: number;
}

/** One step in the life of a key. */
export interface HistoryItem {
  value: Bytes | null;
  timeMs: number;
  seq: number;
}

/** `always`: a write resolves when it is on disk; `interval`: it is on disk within the flush interval; `none`: when the system likes. */
export type Durability = 'always' | 'interval' | 'none';

/** Told of a change: who made it, and whose values it may concern; without `names`, which are good during the call only: of any name. */
export type Watcher = (writer: unknown, names?: NameSet) => void;

/**
 * The engine under `State`: scoped keys over a backend, every change numbered and timed, history, snapshots, generations.
 * Writes take effect for every reader in the order of the calls, before the call returns; the promise tells the durability.
 * One process has one store on a backend; many callers share it.
 */
export interface StateStore {
  readonly storeId: string;
  /** "memory", "level", … */
  readonly backendKind: string;
  readonly persistent: boolean;
  readonly readOnly: boolean;
  readonly durability: Durability;
  /** Where the latest accepted change stands. */
  position(): Position;
  /** The version of the schema that the state is of; undefined where it has none. */
  schemaVersion(): Promise<string | undefined>;

  get(scope: Bytes, key: Bytes): Promise<StoredValue | undefined>;
  /** As `get`, without a promise; undefined where it cannot be told at once. */
  getNow(scope: Bytes, key: Bytes): { entry: StoredValue | undefined } | undefined;
  has(scope: Bytes, key: Bytes): Promise<boolean>;
  list(scope: Bytes, options?: ListOptions): Promise<Bytes[]>;
  scopes(): Promise<Bytes[]>;
  /**
   * For who guesses what will be asked for: entries of a scope from a key on or after it, in order, at most `limit` and not much more than
   * 64 KiB: key, value, key, value, … Each is what it was at the call, but for what has changed since then and {@link watch} has told
   * of. Any may be missing: what is not committed, what is damaged, also all.
   */
  readAhead(scope: Bytes, from: { gte: Bytes } | { gt: Bytes }, limit: number): Promise<Bytes[]>;

  /**
   * All of them together, or none. Changes of keys that do not exist (deletes) are recorded too only if something was there.
   * Resolves, by durability, when accepted or on disk, with the sequence number of the last one and how many had an effect.
   * Throws `KEY_INVALID`, `VALUE_TOO_LARGE`, `STATE_READONLY`, `STATE_FULL`, `STATE_CLOSED`.
   * `writer` is who writes, for those who {@link watch}.
   */
  write(changes: readonly Change[], writer?: unknown): Promise<Written>;
  /** As `write`, but of a batch that ends at a change that is refused those before it are written. */
  writeBatch(batch: ChangeBatch, writer?: unknown): Promise<Written>;
  /**
   * As `write`, if nothing of `reads` has changed since it was read; `undefined`, and no effect, where something has. With a
   * `receipt`, which is written where there was an effect, it resolves not before the changes survive the end of this process.
   */
  writeIf(
    reads: readonly ReadCheck[],
    changes: readonly Change[],
    writer?: unknown,
    receipt?: Receipt<Written>,
  ): Promise<Written | undefined>;
  /** Adds `by`, an encoded number, to a number (0 where there is none), as Lua adds; the sum, encoded. Throws `VALUE_INVALID`. */
  increment(scope: Bytes, key: Bytes, by: Bytes, writer?: unknown): Promise<Bytes>;
  /** Removes every key of a scope, all together, those set while it is under way included; resolves with their number. */
  clear(scope: Bytes, receipt?: Receipt<Written>): Promise<number>;
  /** Resolves when everything accepted before the call is on disk. */
  flush(): Promise<void>;

  /**
   * Calls `listener` whenever readers begin to see something else (writes, restores, changes that a failed commit takes back), at that moment, with
   * the `writer` that `write` was given. Returns what ends it.
   */
  watch(listener: Watcher): () => void;

  snapshot(): Promise<LiveSnapshot>;
  /** The whole state as it was after change `seq`. Throws `HISTORY_UNREACHABLE` where the history kept does not reach it. */
  at(seq: number): Promise<StateSnapshot>;
  /** The last change at or before a time: its sequence number (0: before the first). */
  seqAtTime(timeMs: number): Promise<number>;
  /** Newest first, as far back as the history reaches. */
  history(scope: Bytes, key: Bytes, options?: HistoryOptions): Promise<HistoryItem[]>;

  /**
   * Tells that everything up to change `seq` is in a backup. Where history is switched off, the changes up to there are then
   * forgotten; where it is on, this has no effect.
   */
  releaseHistory(seq: number): Promise<void>;

  newGeneration(): Promise<GenerationWriter>;
  /** Newest first. */
  rollbackPoints(): Promise<RollbackPoint[]>;
  /** Swaps back to an old generation, in one atomic synced commit; the present one becomes a rollback point itself. Throws `NOT_FOUND`. */
  rollback(id: string, receipt?: Receipt<ActivatedGeneration>): Promise<ActivatedGeneration>;

  /** Small values that belong to the state (the schema version, …), kept outside every scope and generation. */
  getMeta(name: string): Promise<Bytes | undefined>;
  setMeta(name: string, value: Bytes | null): Promise<void>;

  /** Flushes, then closes the backend. Idempotent. */
  close(): Promise<void>;
}

export interface StoreOptions {
  /** Default `interval`. */
  durability?: Durability;
  /** Default 50. */
  flushIntervalMs?: number;
  /** Per value, encoded. Default 10,000,000. */
  maxValueBytes?: number;
  /**
   * Default: enabled, 604,800 seconds, 1 GiB (64 MiB where the backend is not persistent). Switched off, changes are kept until
   * a backup has them (`releaseHistory`), within the same limits, and the past cannot be looked at.
   */
  history?: { enabled: boolean; maxAgeSeconds: number; maxBytes: number };
  readOnly?: boolean;
  /**
   * Called before ordinary writes where the version of the schema is another one than at the last call; what it throws is thrown, and nothing
   * written. Restores and migrations are not asked about: they are the way out.
   */
  assertSchema?: (version: string | undefined) => void;
  clock?: Clock;
}
