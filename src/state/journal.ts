import { LlmspellError } from '../errors.js';
import type { Bytes } from '../util/bytes.js';
import type { Clock } from '../util/clock.js';
import { hashOfRaw } from '../util/name-hash.js';
import { NameSet } from '../util/name-set.js';
import { type Documents, liveTimeline, type Timeline } from './catalog.js';
import { changeOf } from './change-batch.js';
import type { RecordedChanges } from './generation.js';
import { scopePrefix } from './key.js';
import { concat } from './layout.js';
import { assertName, assertStorable } from './names.js';
import type {
  Change,
  ChangeBatch,
  Durability,
  GenerationOrigin,
  Position,
  Receipt,
  StoredValue,
  Watcher,
  Written,
} from './types.js';
import { Group, WriteQueue } from './write-queue.js';

/** Names of this length are not too long, whatever their bytes. */
const SHORT_NAME_BYTES = 32 << 10;

const NO_BYTES: Bytes = new Uint8Array(0);

/** Reads what a raw key holds now, accepted or committed. */
export type Lookup = (raw: Bytes) => StoredValue | undefined;

export interface JournalOptions {
  documents: Documents;
  durability: Durability;
  flushIntervalMs: number;
  maxValueBytes: number;
  clock: Clock;
  /** Writes one group to the backend; called for one at a time, in order. */
  commit(group: Group): Promise<void>;
}

/**
 * The changes that a store has accepted: each gets its number and its time here, becomes visible, is told to those who watch, and waits in a
 * group for its commit. Whatever is recorded is recorded without a pause, so that one order holds for all.
 */
export class Journal {
  readonly queue: WriteQueue;
  readonly #documents: Documents;
  readonly #clock: Clock;
  readonly #maxValueBytes: number;
  readonly #watchers = new Set<Watcher>();
  /** The names of what was recorded and those who watch were not told of yet. */
  readonly #recorded = new NameSet();
  /** Lists that every new group is put into. */
  readonly #newGroups = new Set<Group[]>();
  /** Of the last change accepted; the head in the documents is that of the last one committed. */
  #seq: number;
  #timeMs: number;

  constructor({ documents, clock, maxValueBytes, ...queue }: JournalOptions) {
    this.#documents = documents;
    this.#clock = clock;
    this.#maxValueBytes = maxValueBytes;
    this.#seq = documents.head.seq;
    this.#timeMs = documents.head.timeMs;
    this.queue = new WriteQueue({ ...queue, newGroup: (capacityBytes) => this.#newGroup(capacityBytes) });
  }

  /** That of what is accepted now. */
  get timeline(): Timeline {
    return liveTimeline(this.#documents.catalog);
  }

  /** Where the last change accepted stands. */
  position(): Position {
    return { storeId: this.#documents.catalog.storeId, seq: this.#seq, timeMs: this.#timeMs };
  }

  /** Never before the time of the last change. */
  nowMs(): number {
    return Math.max(this.#timeMs, this.#clock.nowMs());
  }

  /** As `StateStore.watch`. */
  watch(listener: Watcher): () => void {
    this.#watchers.add(listener);
    return () => void this.#watchers.delete(listener);
  }

  /** Tells those who watch that readers begin to see something else; without names: anywhere. */
  changed(writer?: unknown, names?: NameSet): void {
    for (const listener of this.#watchers) listener(writer, names);
  }

  /** Calls `work` with the groups that changes are recorded in from now on, until it ends. */
  async following<T>(work: (groups: readonly Group[]) => Promise<T>): Promise<T> {
    const groups = [this.queue.open];
    this.#newGroups.add(groups);
    try {
      return await work(groups);
    } finally {
      this.#newGroups.delete(groups);
    }
  }

  /** Accepts all of them into one group; resolves by durability, with a receipt not before they are committed. */
  async record(
    changes: readonly Change[],
    lookup: Lookup,
    writer: unknown,
    receipt: Receipt<Written> | undefined,
  ): Promise<Written> {
    const group = this.queue.open;
    const before = this.#seq;
    // One time for all, so that no moment lies between them.
    const nowMs = this.#clock.nowMs();
    let scope: Bytes | undefined;
    let prefix: Bytes = NO_BYTES;
    for (const change of changes) {
      // Mostly the same as the one before.
      if (change.scope !== scope) {
        scope = change.scope;
        prefix = scopePrefix(scope);
      }
      this.#recordOne(group, prefix, change, lookup, nowMs);
    }
    return await this.#accepted(group, before, writer, receipt);
  }

  /** As {@link record}; where a change is refused, those before it are accepted. */
  async recordBatch(batch: ChangeBatch, lookup: Lookup, writer: unknown): Promise<Written> {
    const group = this.queue.open;
    const before = this.#seq;
    try {
      this.#recordEach(group, batch, lookup);
    } catch (error) {
      await this.#accepted(group, before, writer);
      throw error;
    }
    return await this.#accepted(group, before, writer);
  }

  /** Records what a swap of generations is, into the group of its commit: changes that were numbered before, or a rewind. */
  recordSwap(group: Group, { description, rewind }: GenerationOrigin, { last, earlierBytes }: RecordedChanges): void {
    this.#timeMs = this.nowMs();
    group.lastTimeMs = this.#timeMs;
    if (last !== undefined) group.segments = [last];
    group.recordedBytes = earlierBytes;
    this.#seq = last?.lastSeq ?? this.#seq;
    if (rewind === undefined) return;
    const { storeId, seq, timeMs } = rewind.position;
    group.changes.rewind(this.#timeMs, { storeId, toSeq: seq, toTimeMs: timeMs, source: description });
    this.#seq++;
  }

  /** The newest value accepted and not yet committed, or else what `other` finds. */
  pendingOr<T>(raw: Bytes, other: () => T, pending = this.queue.pending()): StoredValue | undefined | T {
    const hash = hashOfRaw(raw);
    for (const { timeline, newest, changes } of pending) {
      const index = timeline.id === this.timeline.id ? newest.indexOf(hash, raw) : -1;
      if (index < 0) continue;
      const at = newest.keyAt(index);
      if (changes.isDeleteAt(at)) return undefined;
      const value = changes.bytes.subarray(at + changes.keyBytesAt(at), changes.endAt(at));
      return { seq: changes.firstSeq + newest.changeAt(index), value };
    }
    return other();
  }

  #newGroup(capacityBytes: number): Group {
    const group = new Group(this.timeline, this.#seq + 1, capacityBytes);
    for (const groups of this.#newGroups) groups.push(group);
    // Where it fails its changes are seen no more.
    group.done.catch(() => this.changed());
    return group;
  }

  #recordEach(group: Group, batch: ChangeBatch, lookup: Lookup): void {
    let scope: Bytes | undefined;
    let prefix: Bytes = NO_BYTES;
    while (batch.next()) {
      if (batch.scope !== scope) {
        scope = batch.scope;
        assertName('scope', scope);
        prefix = scopePrefix(scope);
      }
      const isStorable = batch.keyBytes > 0 && prefix.length + batch.keyBytes <= SHORT_NAME_BYTES;
      if (batch.valueBytes > 0 && batch.valueBytes <= this.#maxValueBytes && isStorable) {
        this.#timeMs = Math.max(this.#timeMs, batch.timeMs);
        this.#seq++;
        group.recordFrom(prefix, batch, this.#timeMs);
        this.#recorded.add(batch.hash);
      } else {
        const change = changeOf(batch);
        assertStorable(change, this.#maxValueBytes);
        this.#recordOne(group, prefix, change, lookup, batch.timeMs);
      }
    }
  }

  #recordOne(group: Group, prefix: Bytes, change: Change, lookup: Lookup, nowMs: number): void {
    const { key, value, timeMs = nowMs } = change;
    if (value === null && !isThere(lookup, concat(prefix, key))) return;
    this.#timeMs = Math.max(this.#timeMs, timeMs);
    this.#seq++;
    this.#recorded.add(group.record(prefix, key, this.#timeMs, value));
  }

  /** Resolves by durability; what was recorded is every change since `before`. */
  async #accepted(group: Group, before: number, writer: unknown, receipt?: Receipt<Written>): Promise<Written> {
    const seq = this.#seq;
    const written = { seq, effective: seq - before };
    if (seq === before) return written;
    if (receipt) group.receipts.set(receipt.name, receipt.content(written));
    this.changed(writer, this.#recorded);
    this.#recorded.clear();
    await this.queue.accepted(group);
    if (receipt) await this.queue.committed(group);
    return written;
  }
}

/** A damaged value is there, and may be deleted. */
function isThere(lookup: Lookup, raw: Bytes): boolean {
  try {
    return lookup(raw) !== undefined;
  } catch (error) {
    if (error instanceof LlmspellError && error.code === 'STATE_DAMAGED') return true;
    throw error;
  }
}
