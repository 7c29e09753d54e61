import { LlmspellError } from '../errors.js';
import { type Bytes, utf8 } from '../util/bytes.js';
import { systemClock } from '../util/clock.js';
import type { StateBackend } from './backend.js';
import { type Documents, readDocuments } from './catalog.js';
import { changesOf } from './change-batch.js';
import { commitGroup } from './commit.js';
import { listKeys, listScopes } from './entries.js';
import { Housekeeping } from './housekeeping.js';
import { incrementIn } from './increment.js';
import { Journal } from './journal.js';
import { encodeKey, scopePrefix } from './key.js';
import { putMeta, unseal, userKey } from './layout.js';
import { LiveReads } from './live-reads.js';
import { assertName, assertStorable, rawKey } from './names.js';
import { openDocuments } from './opening.js';
import { PastReads } from './past-reads.js';
import { CommittedSnapshot } from './snapshot.js';
import { Swaps } from './swaps.js';
import type {
  ActivatedGeneration,
  Change,
  ChangeBatch,
  Durability,
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
  Watcher,
  Written,
} from './types.js';
import type { Group } from './write-queue.js';

const WEEK_SECONDS = 604_800;

/**
 * Opens the backend and the store in it, making a new one where there is none. Errors: those of the backend's `open`, and
 * `STATE_DAMAGED` or `STATE_UNAVAILABLE` (a newer format).
 */
export async function openStore(backend: StateBackend, options: StoreOptions = {}): Promise<StateStore> {
  await backend.open();
  try {
    return new Store(backend, options, await openDocuments(backend, options));
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** What is accepted goes to the journal, what is read comes from there or from the backend; swaps, the past and housekeeping have their own parts. */
class Store implements StateStore {
  readonly persistent: boolean;
  readonly backendKind: string;
  readonly readOnly: boolean;
  readonly durability: Durability;
  readonly #backend: StateBackend;
  readonly #documents: Documents;
  readonly #maxValueBytes: number;
  readonly #history: NonNullable<StoreOptions['history']>;
  readonly #journal: Journal;
  readonly #reads: LiveReads;
  readonly #past: PastReads;
  readonly #swaps: Swaps;
  readonly #housekeeping: Housekeeping;
  readonly #assertSchema: StoreOptions['assertSchema'];
  /** The version that was last found fit to be written to; false: none was. */
  #fitVersion: string | undefined | false = false;
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
    const journal = new Journal({
      documents,
      durability: this.durability,
      flushIntervalMs: options.flushIntervalMs ?? 50,
      maxValueBytes: this.#maxValueBytes,
      clock: options.clock ?? systemClock,
      commit: (group) => this.#commit(group),
    });
    this.#journal = journal;
    const reads = new LiveReads(backend, journal);
    this.#reads = reads;
    const isEnabled = this.#history.enabled;
    this.#past = new PastReads({ backend, documents, queue: journal.queue, isEnabled });
    const assertWritable = () => this.#assertWritable();
    const freed = () => this.#housekeeping.start();
    const assertFit = () => this.#assertFit();
    this.#swaps = new Swaps({ backend, documents, journal, reads, freed, assertWritable, assertFit });
    this.#housekeeping = new Housekeeping({
      backend,
      documents,
      history: this.#history,
      building: this.#swaps.building,
      nowMs: () => journal.nowMs(),
      changeCatalog: (change) => this.#swaps.changeCatalog(change),
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

  position(): Position {
    return this.#journal.position();
  }

  async get(scope: Bytes, key: Bytes): Promise<StoredValue | undefined> {
    this.#assertOpen();
    const raw = rawKey(scope, key);
    return this.#reads.isSync ? this.#reads.lookup(raw) : await this.#reads.get(raw);
  }

  getNow(scope: Bytes, key: Bytes): { entry: StoredValue | undefined } | undefined {
    this.#assertOpen();
    return this.#reads.isSync ? { entry: this.#reads.lookup(rawKey(scope, key)) } : undefined;
  }

  async has(scope: Bytes, key: Bytes): Promise<boolean> {
    return (await this.get(scope, key)) !== undefined;
  }

  async list(scope: Bytes, options: ListOptions = {}): Promise<Bytes[]> {
    assertName('scope', scope);
    this.#assertOpen();
    return await listKeys(await this.#reads.committed(), scope, options);
  }

  async scopes(): Promise<Bytes[]> {
    this.#assertOpen();
    return await listScopes(await this.#reads.committed());
  }

  async readAhead(scope: Bytes, from: { gte: Bytes } | { gt: Bytes }, limit: number): Promise<Bytes[]> {
    this.#assertOpen();
    return await this.#reads.ahead(scope, from, limit);
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
    while (this.#swaps.pause !== undefined) await this.#swaps.pause;
    this.#assertWritable();
    this.#assertFit();
    const checks = reads.map(({ scope, key, seq }) => ({ raw: rawKey(scope, key), seq }));
    for (const change of changes) assertStorable(change, this.#maxValueBytes);
    const deletes = changes.filter(({ value }) => value === null).map(({ scope, key }) => encodeKey(scope, key));
    const looked = [...checks.map(({ raw }) => raw), ...deletes];
    return await this.#reads.withLookup(looked, async (lookup) => {
      if (checks.some(({ raw, seq }) => (lookup(raw)?.seq ?? 0) !== seq)) return undefined;
      this.#assertWritable();
      return await this.#journal.record(changes, lookup, writer, receipt);
    });
  }

  async increment(scope: Bytes, key: Bytes, by: Bytes, writer?: unknown): Promise<Bytes> {
    return await incrementIn(this, { scope, key, by }, writer);
  }

  async writeBatch(batch: ChangeBatch, writer?: unknown): Promise<Written> {
    while (this.#swaps.pause !== undefined) await this.#swaps.pause;
    this.#assertWritable();
    this.#assertFit();
    if (!this.#reads.isSync) return await this.write(changesOf(batch), writer);
    return await this.#journal.recordBatch(batch, (raw) => this.#reads.lookup(raw), writer);
  }

  async clear(scope: Bytes, receipt?: Receipt<Written>): Promise<number> {
    this.#assertWritable();
    return await this.#journal.following(async (groups) => {
      const keys = await this.list(scope);
      // What others set while the keys were listed, committed or not.
      for (const group of groups) keys.push(...group.keysOf(scopePrefix(scope)));
      const deletes = keys.map((key) => ({ scope, key, value: null }));
      return (await this.writeIf([], deletes, undefined, receipt))!.effective;
    });
  }

  async flush(): Promise<void> {
    this.#assertOpen();
    await this.#journal.queue.flush();
  }

  watch(listener: Watcher): () => void {
    return this.#journal.watch(listener);
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
    this.#assertOpen();
    return await this.#past.at(seq);
  }

  async seqAtTime(timeMs: number): Promise<number> {
    this.#assertOpen();
    return await this.#past.seqAtTime(timeMs);
  }

  async history(scope: Bytes, key: Bytes, { limit }: HistoryOptions = {}): Promise<HistoryItem[]> {
    const raw = rawKey(scope, key);
    this.#assertOpen();
    return await this.#past.history(raw, limit);
  }

  async releaseHistory(seq: number): Promise<void> {
    this.#assertWritable();
    if (this.#history.enabled) return;
    await this.flush();
    await this.#housekeeping.trim((segment) => segment.lastSeq <= seq);
  }

  async newGeneration(): Promise<GenerationWriter> {
    this.#assertWritable();
    return await this.#swaps.newGeneration();
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
    return await this.#swaps.rollback(id, receipt);
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
      await this.#journal.queue.flush();
    } finally {
      this.#journal.queue.stop();
      await this.#backend.close();
    }
  }

  async #commit(group: Group): Promise<void> {
    await commitGroup(this.#backend, this.#documents, group, this.#history.enabled);
    if (this.#documents.head.historyBytes > this.#history.maxBytes) this.#housekeeping.start();
  }

  #assertFit(): void {
    const version = this.#schemaVersion;
    if (this.#assertSchema === undefined || this.#fitVersion === version) return;
    this.#assertSchema(version);
    this.#fitVersion = version;
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
