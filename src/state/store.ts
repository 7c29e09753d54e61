import { LlmspellError } from '../errors.js';
import { type Bytes, latin1Of, utf8 } from '../util/bytes.js';
import { type Clock, systemClock } from '../util/clock.js';
import { hashOfRaw } from '../util/name-hash.js';
import type { BackendSnapshot, StateBackend } from './backend.js';
import {
  type Catalog,
  type Documents,
  liveTimeline,
  newDocuments,
  putCatalog,
  putDocuments,
  readDocuments,
  type Timeline,
} from './catalog.js';
import { changeOf, changesOf } from './change-batch.js';
import { commitGroup } from './commit.js';
import { type EntrySource, entriesUnder, listKeys, listScopes } from './entries.js';
import { BackendGeneration, type RecordedChanges, recordChanges } from './generation.js';
import { Housekeeping } from './housekeeping.js';
import { incrementIn } from './increment.js';
import { encodeKey, scopePrefix } from './key.js';
import { keyHistory } from './key-history.js';
import { concat, generationPrefix, putMeta, readError, unseal, unsealEntry, userKey } from './layout.js';
import { assertName, assertStorable, rawKey } from './names.js';
import { pastSource, seqAt, timeOf, unreachable } from './past.js';
import { schemaVersionAt } from './schema-version.js';
import { CommittedSnapshot, SourceSnapshot } from './snapshot.js';
import { restarted, swapped } from './swap.js';
import type {
  ActivatedGeneration,
  Change,
  ChangeBatch,
  Durability,
  GenerationOrigin,
  GenerationWriter,
  HistoryItem,
  HistoryOptions,
  ListOptions,
  LiveSnapshot,
  Position,
  ReadCheck,
  Receipt,
  RollbackPoint,
  StateSnapshot,
  StateStore,
  StoredValue,
  StoreOptions,
} from './types.js';
import { Group, WriteQueue } from './write-queue.js';

const WEEK_SECONDS = 604_800;

/**
 * Opens the backend and the store in it, making a new one where there is none. Errors: those of the backend's `open`, and
 * `STATE_DAMAGED` or `STATE_UNAVAILABLE` (a newer format).
 */
export async function openStore(backend: StateBackend, options: StoreOptions = {}): Promise<StateStore> {
  await backend.open();
  try {
    const documents = (await readDocuments(backend)) ?? (await createStore(backend, options));
    // Left by a swap that did not come to its end.
    if (options.readOnly !== true) await backend.dropChanges(documents.head.seq);
    return new Store(backend, options, await matchHistory(backend, options, documents));
  } catch (error) {
    await backend.close();
    throw error;
  }
}

async function createStore(backend: StateBackend, { readOnly = false }: StoreOptions): Promise<Documents> {
  const documents = newDocuments();
  if (!readOnly) await backend.commit({ operations: putDocuments(documents) }, { sync: true });
  return documents;
}

/**
 * While history is switched off no floor is kept. Switched on again, the past begins here: with a timeline of its own on the
 * same generation.
 */
async function matchHistory(backend: StateBackend, options: StoreOptions, documents: Documents): Promise<Documents> {
  const { catalog, head, horizon } = documents;
  const isEnabled = options.history?.enabled ?? true;
  if (isEnabled === horizon.hasFloor || options.readOnly === true) return documents;
  const matched = {
    catalog: isEnabled ? restarted(catalog, head) : catalog,
    head,
    horizon: { ...horizon, hasFloor: isEnabled },
  };
  await backend.commit({ operations: putDocuments(matched) }, { sync: true });
  return matched;
}

interface Written {
  seq: number;
  effective: number;
}

class Store implements StateStore {
  readonly persistent: boolean;
  readonly backendKind: string;
  readonly readOnly: boolean;
  readonly durability: Durability;
  readonly #watchers = new Set<(writer: unknown) => void>();
  /** Lists that every new group is put into. */
  readonly #newGroups = new Set<Group[]>();
  readonly #backend: StateBackend;
  readonly #maxValueBytes: number;
  readonly #history: NonNullable<StoreOptions['history']>;
  readonly #clock: Clock;
  readonly #queue: WriteQueue;
  readonly #documents: Documents;
  /** Of the last change accepted; the head in the documents is that of the last one committed. */
  #seq: number;
  #timeMs: number;
  readonly #assertSchema: StoreOptions['assertSchema'];
  /** The version that was last found fit to be written to; false: none was. */
  #fitVersion: string | undefined | false = false;
  /** While the changes of a swap are recorded: ordinary writes wait for it. */
  #pause: Promise<unknown> | undefined;
  /** The end of the line of writers, where the backend cannot read at once. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Generations under construction: garbage as long as they are not activated, but not yet to be cleared. */
  readonly #building = new Set<number>();
  readonly #housekeeping: Housekeeping;
  #closing: Promise<void> | undefined;

  constructor(backend: StateBackend, options: StoreOptions, documents: Documents) {
    this.#backend = backend;
    this.backendKind = backend.kind;
    this.persistent = backend.persistent;
    this.readOnly = options.readOnly ?? false;
    this.durability = options.durability ?? 'interval';
    this.#maxValueBytes = options.maxValueBytes ?? 10_000_000;
    this.#history = options.history ?? {
      enabled: true,
      maxAgeSeconds: WEEK_SECONDS,
      maxBytes: backend.persistent ? 1 << 30 : 64 << 20,
    };
    this.#assertSchema = options.assertSchema;
    this.#documents = documents;
    this.#seq = documents.head.seq;
    this.#timeMs = documents.head.timeMs;
    this.#clock = options.clock ?? systemClock;
    this.#queue = new WriteQueue({
      durability: this.durability,
      flushIntervalMs: options.flushIntervalMs ?? 50,
      commit: (group) => this.#commit(group),
      newGroup: (capacityBytes) => this.#newGroup(capacityBytes),
    });
    this.#housekeeping = new Housekeeping({
      backend,
      documents,
      history: this.#history,
      building: this.#building,
      nowMs: () => this.#nowMs(),
      changeCatalog: (change) => this.#changeCatalog(change),
    });
    if (this.readOnly) this.#housekeeping.stop();
    this.#housekeeping.start();
  }

  get storeId(): string {
    return this.#documents.catalog.storeId;
  }

  async schemaVersion(): Promise<string | undefined> {
    return this.#schemaVersion;
  }

  get #schemaVersion(): string | undefined {
    return this.#documents.catalog.schemaMarks?.at(-1)?.version;
  }

  get #timeline(): Timeline {
    return liveTimeline(this.#documents.catalog);
  }

  /** What the keys of live entries begin with. */
  get #prefix(): Bytes {
    return generationPrefix(this.#timeline.generation);
  }

  position(): Position {
    return { storeId: this.storeId, seq: this.#seq, timeMs: this.#timeMs };
  }

  async get(scope: Bytes, key: Bytes): Promise<StoredValue | undefined> {
    this.#assertOpen();
    const raw = rawKey(scope, key);
    if (this.#backend.getSync !== undefined) return this.#lookup(raw);
    return await this.#pendingOr(raw, () => this.#fetch(raw));
  }

  async has(scope: Bytes, key: Bytes): Promise<boolean> {
    return (await this.get(scope, key)) !== undefined;
  }

  async list(scope: Bytes, options: ListOptions = {}): Promise<Bytes[]> {
    assertName('scope', scope);
    return await listKeys(await this.#committed(), scope, options);
  }

  async scopes(): Promise<Bytes[]> {
    return await listScopes(await this.#committed());
  }

  async write(changes: readonly Change[], writer?: unknown): Promise<Written> {
    return (await this.writeIf([], changes, writer))!;
  }

  async writeIf(
    reads: readonly ReadCheck[],
    changes: readonly Change[],
    writer?: unknown,
    receipt?: Receipt<Written>,
  ): Promise<Written | undefined> {
    while (this.#pause !== undefined) await this.#pause;
    this.#assertWritable();
    this.#assertFit();
    const checks = reads.map(({ scope, key, seq }) => ({ raw: rawKey(scope, key), seq }));
    for (const change of changes) assertStorable(change, this.#maxValueBytes);
    const deletes = changes.filter(({ value }) => value === null).map(({ scope, key }) => encodeKey(scope, key));
    const looked = [...checks.map(({ raw }) => raw), ...deletes];
    return await this.#withLookup(looked, async (lookup) => {
      if (checks.some(({ raw, seq }) => (lookup(raw)?.seq ?? 0) !== seq)) return undefined;
      return await this.#record(changes, lookup, writer, receipt);
    });
  }

  async increment(scope: Bytes, key: Bytes, by: Bytes, writer?: unknown): Promise<Bytes> {
    return await incrementIn(this, { scope, key, by }, writer);
  }

  async writeBatch(batch: ChangeBatch, writer?: unknown): Promise<Written> {
    while (this.#pause !== undefined) await this.#pause;
    this.#assertWritable();
    this.#assertFit();
    if (this.#backend.getSync === undefined) return await this.write(changesOf(batch), writer);
    const group = this.#queue.open;
    const before = this.#seq;
    try {
      this.#recordBatch(group, batch);
    } catch (error) {
      await this.#accepted(group, before, writer);
      throw error;
    }
    return await this.#accepted(group, before, writer);
  }

  async clear(scope: Bytes, receipt?: Receipt<Written>): Promise<number> {
    this.#assertWritable();
    // What others set while the keys are listed is in the groups since then, committed or not.
    const since = [this.#queue.open];
    this.#newGroups.add(since);
    try {
      const keys = await this.list(scope);
      for (const group of since) keys.push(...group.keysOf(scopePrefix(scope)));
      const deletes = keys.map((key) => ({ scope, key, value: null }));
      return (await this.writeIf([], deletes, undefined, receipt))!.effective;
    } finally {
      this.#newGroups.delete(since);
    }
  }

  async flush(): Promise<void> {
    this.#assertOpen();
    await this.#queue.flush();
  }

  watch(listener: (writer: unknown) => void): () => void {
    this.#watchers.add(listener);
    return () => void this.#watchers.delete(listener);
  }

  #changed(writer?: unknown): void {
    for (const listener of this.#watchers) listener(writer);
  }

  #newGroup(capacityBytes: number): Group {
    const group = new Group(this.#timeline, this.#seq + 1, capacityBytes);
    for (const groups of this.#newGroups) groups.push(group);
    // Where it fails its changes are seen no more.
    group.done.catch(() => this.#changed());
    return group;
  }

  async snapshot(): Promise<LiveSnapshot> {
    // A snapshot that outlives the state it was taken of (a backup, after a power cut) would number other changes alike.
    await this.flush();
    const view = await this.#backend.snapshot();
    try {
      return new CommittedSnapshot(view, (await readDocuments(view)) ?? this.#documents);
    } catch (error) {
      await view.close();
      throw error;
    }
  }

  async at(seq: number): Promise<StateSnapshot> {
    return await this.#inPast(async (view, documents) => {
      const source = await pastSource(view, documents, seq);
      const timeMs = await timeOf(view, documents, seq);
      return new SourceSnapshot(
        source,
        view,
        { storeId: this.storeId, seq, timeMs },
        documents.catalog.schemaMarks ?? [],
      );
    });
  }

  async seqAtTime(timeMs: number): Promise<number> {
    return await this.#lookBack((view, documents) => seqAt(view, documents, timeMs));
  }

  async history(scope: Bytes, key: Bytes, { limit }: HistoryOptions = {}): Promise<HistoryItem[]> {
    const raw = rawKey(scope, key);
    return await this.#lookBack((view, documents) => keyHistory(view, documents, raw, limit));
  }

  async releaseHistory(seq: number): Promise<void> {
    this.#assertWritable();
    if (this.#history.enabled) return;
    await this.flush();
    await this.#housekeeping.trim((segment) => segment.lastSeq <= seq);
  }

  async newGeneration(): Promise<GenerationWriter> {
    this.#assertWritable();
    let generation = 0;
    await this.#changeCatalog((catalog) => {
      generation = catalog.nextGeneration;
      this.#building.add(generation);
      return { ...catalog, nextGeneration: generation + 1, garbage: [...catalog.garbage, { generation }] };
    });
    return new BackendGeneration(this.#backend, generation, {
      activate: (number, origin) => this.#activate(number, origin),
      discard: (number) => this.#discard(number),
    });
  }

  async rollbackPoints(): Promise<RollbackPoint[]> {
    return this.#documents.catalog.rollbackPoints.map(({ id, seq, timeMs, createdAtMs, description }) => ({
      id,
      seq,
      timeMs,
      createdAtMs,
      description,
    }));
  }

  async rollback(id: string, receipt?: Receipt<ActivatedGeneration>): Promise<ActivatedGeneration> {
    this.#assertWritable();
    const point = this.#documents.catalog.rollbackPoints.find((one) => one.id === id);
    if (point === undefined) throw new LlmspellError('NOT_FOUND', `There is no rollback point ${id}.`, { subject: id });
    const position = { storeId: this.storeId, seq: point.seq, timeMs: point.timeMs };
    const schema = { version: point.schemaVersion };
    const origin = { description: id, rewind: { position }, schema, ...(receipt && { receipt }) };
    return await this.#paused(() => this.#swap(point.generation, origin));
  }

  async getMeta(name: string): Promise<Bytes | undefined> {
    this.#assertOpen();
    const sealed = await this.#backend.get(userKey(name));
    if (sealed === undefined) return undefined;
    const content = unseal(utf8(name), sealed);
    if (content === undefined) throw new LlmspellError('STATE_DAMAGED', `The state's record "${name}" is damaged.`);
    return content.value;
  }

  async setMeta(name: string, value: Bytes | null): Promise<void> {
    this.#assertWritable();
    await this.#backend.commit({ operations: [putMeta(name, value)] }, { sync: true });
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    this.#housekeeping.stop();
    try {
      await this.#queue.flush();
    } finally {
      this.#queue.stop();
      await this.#backend.close();
    }
  }

  async #activate(generation: number, origin: GenerationOrigin): Promise<ActivatedGeneration> {
    this.#assertWritable();
    return await this.#paused(async () => {
      // Those who were let in before the pause.
      await this.#turn;
      if (origin.expectedSeq !== undefined) this.#assertUnchangedSince(origin.expectedSeq);
      if (origin.rewind !== undefined) return await this.#swap(generation, origin);
      try {
        return await this.#activateChanged(generation, origin);
      } catch (error) {
        // Where this fails too, the next open does it.
        await this.#backend.dropChanges(this.#documents.head.seq).catch(() => undefined);
        throw error;
      }
    });
  }

  /** The changes are numbered from the present one on: nobody else may write until the swap. */
  async #activateChanged(generation: number, origin: GenerationOrigin): Promise<ActivatedGeneration> {
    await this.flush();
    const { seq } = this.position();
    const changes = origin.changes ?? NO_CHANGES;
    const recorded = await recordChanges(this.#backend, changes, seq + 1, () => this.#nowMs());
    const isOtherSchema = origin.schema !== undefined && origin.schema.version !== this.#schemaVersion;
    if (recorded.last !== undefined || isOtherSchema) return await this.#swap(generation, origin, recorded);
    await this.#discard(generation);
    return { seq };
  }

  /** Calls `work` while ordinary writes, and other swaps, wait. */
  async #paused<T>(work: () => Promise<T>): Promise<T> {
    while (this.#pause !== undefined) await this.#pause;
    const done = work();
    this.#pause = done.catch(() => undefined).then(() => (this.#pause = undefined));
    return await done;
  }

  /** Makes `generation` the live one, in a commit of its own; everything accepted after it goes there. */
  async #swap(
    generation: number,
    origin: GenerationOrigin,
    changes: RecordedChanges = { last: undefined, earlierBytes: 0 },
  ): Promise<ActivatedGeneration> {
    let result: ActivatedGeneration | undefined;
    await this.#changeCatalog((catalog, group) => {
      const isKept = catalog.rollbackPoints.some((point) => point.generation === generation);
      if (!isKept && !this.#building.has(generation))
        throw new LlmspellError('NOT_FOUND', 'What was to become the state is not there any more.');
      const from = this.position();
      this.#recordSwap(group, origin, changes);
      const to = this.position();
      const swap = swapped(catalog, {
        generation,
        from,
        to,
        description: `before ${origin.description}`,
        keepOld: origin.keepOld ?? true,
        restoredFrom: restoredFrom(catalog, origin, to),
        schemaVersion: origin.schema ? origin.schema.version : schemaVersionAt(catalog.schemaMarks ?? [], from.seq),
      });
      result = swap.result;
      const { receipt } = origin;
      if (receipt) group.receipts.set(receipt.name, receipt.content(result));
      return swap.catalog;
    });
    this.#building.delete(generation);
    this.#housekeeping.start();
    return result!;
  }

  #recordSwap(group: Group, { description, rewind }: GenerationOrigin, { last, earlierBytes }: RecordedChanges): void {
    this.#timeMs = this.#nowMs();
    group.lastTimeMs = this.#timeMs;
    if (last !== undefined) group.segments = [last];
    group.recordedBytes = earlierBytes;
    this.#seq = last?.lastSeq ?? this.#seq;
    if (rewind === undefined) return;
    const { storeId, seq, timeMs } = rewind.position;
    group.changes.rewind(this.#timeMs, { storeId, toSeq: seq, toTimeMs: timeMs, source: description });
    this.#seq++;
  }

  async #discard(generation: number): Promise<void> {
    this.#building.delete(generation);
    this.#housekeeping.start();
  }

  /** In a commit of its own, behind everything accepted before. */
  async #changeCatalog(change: (catalog: Catalog, group: Group) => Catalog): Promise<void> {
    await this.#withLookup([], async () => {
      const before = this.#documents.catalog;
      try {
        await this.#queue.insert((group) => {
          this.#documents.catalog = change(before, group);
          group.operations.push(putCatalog(this.#documents.catalog));
          this.#changed();
        });
      } catch (error) {
        this.#documents.catalog = before;
        throw error;
      }
    });
  }

  #nowMs(): number {
    return Math.max(this.#timeMs, this.#clock.nowMs());
  }

  #assertUnchangedSince(seq: number): void {
    if (seq !== this.#seq)
      throw new LlmspellError('RESTORE_FAILED', `The state has changed since change ${seq}: it is at ${this.#seq}.`, {
        hint: 'Try again; nothing has been changed.',
      });
  }

  /** Calls `body` with everything accepted so far; it takes the snapshot over where it succeeds. */
  async #inPast<T>(body: (view: BackendSnapshot, documents: Documents) => Promise<T>): Promise<T> {
    this.#assertOpen();
    if (!this.#history.enabled) throw unreachable('History is switched off, so the past cannot be looked at.');
    if (!this.#queue.hasFailed) await this.#queue.drain();
    const view = await this.#backend.snapshot();
    try {
      return await body(view, (await readDocuments(view)) ?? this.#documents);
    } catch (error) {
      await view.close();
      throw error;
    }
  }

  async #lookBack<T>(body: (view: BackendSnapshot, documents: Documents) => Promise<T>): Promise<T> {
    return await this.#inPast(async (view, documents) => {
      const result = await body(view, documents);
      await view.close();
      return result;
    });
  }

  /** Everything accepted so far, as the backend has it. After a failed commit: what it has. */
  async #committed(): Promise<EntrySource> {
    this.#assertOpen();
    if (!this.#queue.hasFailed) await this.#queue.drain();
    return entriesUnder(this.#backend, this.#prefix);
  }

  /**
   * Calls `body` with a way to read the keys `looked`. Where the backend reads at once, `body` runs before this returns;
   * else writers take turns, each after what was accepted before it is in the backend.
   */
  async #withLookup<T>(looked: readonly Bytes[], body: (lookup: Lookup) => Promise<T>): Promise<T> {
    if (this.#backend.getSync !== undefined) return await body((raw) => this.#lookup(raw));
    const turn = this.#turn.then(async () => {
      const fetched = new Map<string, StoredValue>();
      if (looked.length > 0) await this.#queue.drain();
      for (const raw of looked) {
        const entry = await this.#fetch(raw);
        if (entry !== undefined) fetched.set(latin1Of(raw), entry);
      }
      const written = body((raw) => this.#pendingOr(raw, () => fetched.get(latin1Of(raw))));
      return { written };
    });
    this.#turn = turn.catch(() => undefined);
    return await (await turn).written;
  }

  #lookup(raw: Bytes): StoredValue | undefined {
    return this.#pendingOr(raw, () => {
      try {
        return this.#unseal(raw, this.#backend.getSync!(concat(this.#prefix, raw)));
      } catch (error) {
        throw readError(error, raw);
      }
    });
  }

  async #fetch(raw: Bytes): Promise<StoredValue | undefined> {
    try {
      return this.#unseal(raw, await this.#backend.get(concat(this.#prefix, raw)));
    } catch (error) {
      throw readError(error, raw);
    }
  }

  /** The newest value accepted and not yet committed, or else what `other` finds. */
  #pendingOr<T>(raw: Bytes, other: () => T): StoredValue | undefined | T {
    const hash = hashOfRaw(raw);
    for (const { timeline, newest, changes } of this.#queue.pending()) {
      const index = timeline.id === this.#timeline.id ? newest.indexOf(hash, raw) : -1;
      if (index < 0) continue;
      const value = changes.valueAt(newest.keyAt(index));
      if (value === undefined) return undefined;
      return { seq: changes.firstSeq + newest.changeAt(index), value: changes.bytes.subarray(value.start, value.end) };
    }
    return other();
  }

  /** What a generation was filled with counts as written when it became the live one. */
  #unseal(raw: Bytes, sealed: Bytes | undefined): StoredValue | undefined {
    if (sealed === undefined) return undefined;
    const entry = unsealEntry(raw, sealed);
    const { startSeq } = this.#timeline;
    return entry.seq < startSeq ? { value: entry.value, seq: startSeq } : entry;
  }

  #assertFit(): void {
    const version = this.#schemaVersion;
    if (this.#assertSchema === undefined || this.#fitVersion === version) return;
    this.#assertSchema(version);
    this.#fitVersion = version;
  }

  /** Accepts all of them into one group: numbers them and makes them visible, without a pause between. */
  async #record(
    changes: readonly Change[],
    lookup: Lookup,
    writer: unknown,
    receipt: Receipt<Written> | undefined,
  ): Promise<Written> {
    this.#assertWritable();
    const group = this.#queue.open;
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

  #recordBatch(group: Group, batch: ChangeBatch): void {
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
      } else {
        const change = changeOf(batch);
        assertStorable(change, this.#maxValueBytes);
        this.#recordOne(group, prefix, change, (raw) => this.#lookup(raw), batch.timeMs);
      }
    }
  }

  #recordOne(group: Group, prefix: Bytes, change: Change, lookup: Lookup, nowMs: number): void {
    const { key, value, timeMs = nowMs } = change;
    if (value === null && !isThere(lookup, concat(prefix, key))) return;
    this.#timeMs = Math.max(this.#timeMs, timeMs);
    this.#seq++;
    group.record(prefix, key, this.#timeMs, value);
  }

  /** Resolves by durability; what was recorded is every change since `before`. */
  async #accepted(group: Group, before: number, writer: unknown, receipt?: Receipt<Written>): Promise<Written> {
    const seq = this.#seq;
    const written = { seq, effective: seq - before };
    if (seq === before) return written;
    if (receipt) group.receipts.set(receipt.name, receipt.content(written));
    this.#changed(writer);
    await this.#queue.accepted(group);
    if (receipt) await this.#queue.committed(group);
    return written;
  }

  async #commit(group: Group): Promise<void> {
    await commitGroup(this.#backend, this.#documents, group, this.#history.enabled);
    if (this.#documents.head.historyBytes > this.#history.maxBytes) this.#housekeeping.start();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new LlmspellError('STATE_CLOSED', 'The state is closed.');
  }

  #assertWritable(): void {
    this.#assertOpen();
    if (this.readOnly)
      throw new LlmspellError('STATE_READONLY', 'The state was opened read-only and cannot be changed.');
  }
}

const NO_BYTES: Bytes = new Uint8Array(0);
/** Names of this length are not too long, whatever their bytes. */
const SHORT_NAME_BYTES = 32 << 10;
const NO_CHANGES: AsyncIterable<readonly Change[]> = { [Symbol.asyncIterator]: async function* () {} };

function restoredFrom(
  catalog: Catalog,
  { rewind }: GenerationOrigin,
  { seq, timeMs }: Position,
): Catalog['restoredFrom'] {
  if (rewind === undefined) return catalog.restoredFrom;
  return rewind.backupId === undefined ? undefined : { backupId: rewind.backupId, seq, timeMs };
}

type Lookup = (raw: Bytes) => StoredValue | undefined;

/** A damaged value is there, and may be deleted. */
function isThere(lookup: Lookup, raw: Bytes): boolean {
  try {
    return lookup(raw) !== undefined;
  } catch (error) {
    if (error instanceof LlmspellError && error.code === 'STATE_DAMAGED') return true;
    throw error;
  }
}
