import { type LlmspellError, toLlmspellError } from '../errors.js';
import { type Bytes, equalBytes } from '../util/bytes.js';
import { hashOfRaw } from '../util/name-hash.js';
import type { BackendOperation, Segment } from './backend.js';
import type { Timeline } from './catalog.js';
import { SegmentBuilder } from './history.js';
import { NewestChanges } from './newest.js';
import type { ChangeBatch, Durability } from './types.js';

/** A group is committed when it has grown to this, whatever the time. */
const GROUP_BYTES = 1 << 20;
/** Writers wait while this much is accepted and not yet committed. */
const BACKLOG_BYTES = 8 << 20;

/** Changes that are committed together: accepted, visible to readers, not yet in the backend. */
export class Group {
  readonly timeline: Timeline;
  readonly changes: SegmentBuilder;
  readonly newest: NewestChanges;
  /** What a change of the catalog writes: its operations, and segments that come before that of `changes`. */
  readonly operations: BackendOperation[] = [];
  segments: readonly Segment[] = [];
  /** Of segments that are in the backend already, before `segments`. */
  recordedBytes = 0;
  /** By their names: of several with one name the last counts. */
  readonly receipts = new Map<string, Bytes>();
  lastTimeMs = 0;
  /** Whether somebody asked for it to be committed; and synced. */
  isWanted = false;
  sync = false;
  readonly done: Promise<void>;
  resolve!: () => void;
  reject!: (error: LlmspellError) => void;

  constructor(timeline: Timeline, firstSeq: number, capacityBytes: number) {
    this.timeline = timeline;
    this.changes = new SegmentBuilder(firstSeq, capacityBytes);
    this.newest = new NewestChanges(this.changes);
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Whoever has to know awaits it; a failure also stays in the queue.
    this.done.catch(() => undefined);
  }

  /** `scope` is its prefix in the raw key. Returns the hash of the name. */
  record(scope: Bytes, key: Bytes, timeMs: number, value: Bytes | null): number {
    this.lastTimeMs = timeMs;
    const at = value === null ? this.changes.delete(scope, key, timeMs) : this.changes.put(scope, key, timeMs, value);
    const hash = hashOfRaw(scope, key);
    this.newest.note(hash, at);
    return hash;
  }

  /** The keys with changes whose raw key begins with `scope`. */
  keysOf(scope: Bytes): Bytes[] {
    const keys: Bytes[] = [];
    for (let index = 0; index < this.newest.size; index++) {
      const at = this.newest.keyAt(index);
      const raw = this.changes.bytes.subarray(at, at + this.changes.keyBytesAt(at));
      if (equalBytes(raw.subarray(0, scope.length), scope)) keys.push(raw.subarray(scope.length));
    }
    return keys;
  }

  /** {@link record} of the present change of a batch, which is no delete. */
  recordFrom(scope: Bytes, { bytes, keyAt, keyBytes, valueBytes, hash }: ChangeBatch, timeMs: number): void {
    this.lastTimeMs = timeMs;
    this.newest.note(hash, this.changes.putFrom(scope, bytes, keyAt, keyBytes, valueBytes, timeMs));
  }
}

export interface WriteQueueOptions {
  durability: Durability;
  flushIntervalMs: number;
  /** Writes one group to the backend; called for one at a time, in order. */
  commit(group: Group): Promise<void>;
  /** An empty group for what is accepted next. */
  newGroup(capacityBytes: number): Group;
}

/**
 * Group commit. What is accepted collects in the newest group until that is large enough, its time has come, or somebody
 * waits for it; groups are committed one after the other, and what comes in meanwhile shares the next one. After a failed
 * commit everything not yet committed is dropped, and every later call fails with the same error: what was reported as
 * durable stays, and nothing is pretended.
 */
export class WriteQueue {
  readonly #options: WriteQueueOptions;
  /** Oldest first; the last one is open, the others wait for their commit or are under way. */
  #groups: Group[];
  #failure: LlmspellError | undefined;
  #isCommitting = false;
  #isUnsynced = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WriteQueueOptions) {
    this.#options = options;
    this.#groups = [options.newGroup(0)];
  }

  /** The group to record changes in, all at once, followed by {@link accepted}. Throws the failure of an earlier commit. */
  get open(): Group {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#groups.at(-1)!;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Newest first. */
  *pending(): Iterable<Group> {
    for (let i = this.#groups.length - 1; i >= 0; i--) yield this.#groups[i]!;
  }

  /** To be called when changes were recorded; resolves, by durability, when they are accepted or on disk. */
  async accepted(group: Group): Promise<void> {
    if (this.#options.durability === 'always') {
      this.#request(group, true);
      return await group.done;
    }
    if (group.changes.sizeBytes < GROUP_BYTES) this.#startTimer();
    else {
      this.#request(group, this.#options.durability === 'interval');
      // A group that went on growing while others are committed would outgrow the caches.
      this.#closeOpen();
    }
    while (this.#backlogBytes() > BACKLOG_BYTES) await this.#groups[0]!.done;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when everything accepted before is in the backend, though perhaps not synced. */
  async drain(): Promise<void> {
    const group = this.open;
    if (group.changes.count > 0) this.#request(group, false);
    await (group.isWanted ? group : this.#groups.at(-2))?.done;
    if (this.#isUnsynced) this.#startTimer();
  }

  /** As `drain`, for what was accepted into one group. */
  async committed(group: Group): Promise<void> {
    this.#request(group, false);
    await group.done;
    if (this.#isUnsynced) this.#startTimer();
  }

  /** Resolves when everything accepted before is on disk. */
  async flush(): Promise<void> {
    const group = this.open;
    const last = this.#groups.at(-2);
    if (group.changes.count > 0 || (last === undefined ? this.#isUnsynced : !last.sync)) this.#request(group, true);
    await (group.isWanted ? group : last)?.done;
  }

  /** Commits a group of its own, behind everything accepted before; resolves when it is on disk. */
  async insert(fill: (group: Group) => void): Promise<void> {
    if (this.open.changes.count > 0) this.#closeOpen();
    const group = this.open;
    fill(group);
    this.#closeOpen();
    this.#request(group, true);
    await group.done;
  }

  /** No timer outlives this. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #request(group: Group, sync: boolean): void {
    group.sync ||= sync;
    group.isWanted = true;
    // Not at once, so that writes of the same moment share one sync.
    queueMicrotask(() => void this.#run());
  }

  #closeOpen(): void {
    this.#groups.push(this.#options.newGroup(this.#groups.at(-1)!.changes.sizeBytes));
  }

  async #run(): Promise<void> {
    if (this.#isCommitting) return;
    this.#isCommitting = true;
    while (this.#groups.length > 1 || this.#groups[0]!.isWanted) {
      if (this.#groups.length === 1) this.#closeOpen();
      await this.#commitOldest();
    }
    this.#isCommitting = false;
  }

  async #commitOldest(): Promise<void> {
    const group = this.#groups[0]!;
    try {
      await this.#options.commit(group);
      this.#isUnsynced = !group.sync;
      this.#groups.shift();
      group.resolve();
    } catch (error) {
      this.#fail(toLlmspellError(error));
    }
  }

  #fail(error: LlmspellError): void {
    this.#failure = error;
    this.stop();
    const dropped = this.#groups;
    this.#groups = [this.#options.newGroup(0)];
    for (const group of dropped) group.reject(error);
  }

  #startTimer(): void {
    // Half of it, which leaves the other half for the write itself.
    this.#timer ??= setTimeout(() => this.#onTime(), this.#options.flushIntervalMs / 2);
  }

  #onTime(): void {
    this.#timer = undefined;
    const group = this.#groups.at(-1)!;
    const sync = this.#options.durability === 'interval';
    if (group.changes.count > 0 || (sync && this.#isUnsynced)) this.#request(group, sync);
  }

  #backlogBytes(): number {
    return this.#groups.reduce((sum, group) => sum + group.changes.sizeBytes, 0);
  }
}
