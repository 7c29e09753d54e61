import { LlmspellError } from '../errors.js';
import { changeOf } from '../state/change-batch.js';
import { assertStorable } from '../state/names.js';
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
  RollbackPoint,
  StateSnapshot,
  StateStore,
  StoredValue,
  Watcher,
  Written,
} from '../state/types.js';
import type { Bytes } from '../util/bytes.js';
import type { OperationName, Operations } from './operations.js';
import { Participant, type ParticipantOptions } from './participant.js';
import { RemoteGeneration, RemotePast, RemoteSnapshot } from './remote.js';

export interface SharedStoreOptions extends ParticipantOptions {
  maxValueBytes: number;
  /** This process does not change the state, though others may through it. */
  readOnly: boolean;
}

/** Opens a state that other processes work on, too. Throws as opening a store does, `STATE_LOCKED` among it. */
export async function openShared(options: SharedStoreOptions): Promise<StateStore> {
  const store = new SharedStore(options);
  await store.open();
  return store;
}

/** A state over all processes of this machine: the store itself where this process holds it, otherwise requests to the one that does. */
class SharedStore implements StateStore {
  readonly persistent = true;
  readonly readOnly: boolean;
  readonly durability: Durability;
  readonly #maxValueBytes: number;
  readonly #participant: Participant;
  readonly #watchers = new Set<Watcher>();

  constructor(options: SharedStoreOptions) {
    this.readOnly = options.readOnly;
    this.durability = options.durability;
    this.#maxValueBytes = options.maxValueBytes;
    this.#participant = new Participant(options, {
      changed: (writer, names) => {
        for (const listener of this.#watchers) listener(writer, names);
      },
      joined: () => this.#tellWatchers(),
    });
  }

  async open(): Promise<void> {
    await this.#participant.open();
  }

  get storeId(): string {
    return this.position().storeId;
  }

  get backendKind(): string {
    return this.#participant.backendKind;
  }

  position(): Position {
    return this.#participant.position();
  }

  async get(scope: Bytes, key: Bytes): Promise<StoredValue | undefined> {
    return await this.#participant.ask('get', [scope, key]);
  }

  getNow(scope: Bytes, key: Bytes): { entry: StoredValue | undefined } | undefined {
    this.#participant.assertOpen();
    const { role } = this.#participant;
    // As every answer: not before the guests know what it may show.
    return role?.kind === 'holder' && role.server.settled() === undefined ? role.store.getNow(scope, key) : undefined;
  }

  async has(scope: Bytes, key: Bytes): Promise<boolean> {
    return await this.#participant.ask('has', [scope, key]);
  }

  async list(scope: Bytes, options: ListOptions = {}): Promise<Bytes[]> {
    return await this.#participant.ask('list', [scope, options]);
  }

  async scopes(): Promise<Bytes[]> {
    return await this.#participant.ask('scopes', []);
  }

  async readAhead(scope: Bytes, from: { gte: Bytes } | { gt: Bytes }, limit: number): Promise<Bytes[]> {
    return await this.#participant.ask('readAhead', [scope, from, limit]);
  }

  async write(changes: readonly Change[], writer?: unknown): Promise<Written> {
    return (await this.writeIf([], changes, writer))!;
  }

  async writeBatch(batch: ChangeBatch, writer?: unknown): Promise<Written> {
    this.#assertWritable();
    const { role } = this.#participant;
    if (role?.kind === 'holder') {
      const written = await role.store.writeBatch(batch, writer);
      await role.server.settled();
      return written;
    }
    const changes: Change[] = [];
    try {
      for (; batch.next(); assertStorable(changes.at(-1)!, this.#maxValueBytes)) changes.push(changeOf(batch));
    } catch (error) {
      await this.write(changes.slice(0, -1), writer);
      throw error;
    }
    return await this.write(changes, writer);
  }

  async writeIf(
    reads: readonly ReadCheck[],
    changes: readonly Change[],
    writer?: unknown,
  ): Promise<Written | undefined> {
    for (const change of changes) assertStorable(change, this.#maxValueBytes);
    const written = await this.#change('writeIf', [reads, changes], writer);
    if (written !== undefined) this.#participant.reached(written.seq);
    return written;
  }

  async increment(scope: Bytes, key: Bytes, by: Bytes, writer?: unknown): Promise<Bytes> {
    return await this.#change('increment', [scope, key, by], writer);
  }

  async clear(scope: Bytes): Promise<number> {
    return await this.#change('clear', [scope]);
  }

  async flush(): Promise<void> {
    await this.#participant.ask('flush', []);
  }

  watch(listener: Watcher): () => void {
    this.#watchers.add(listener);
    this.#tellWatchers();
    return () => {
      this.#watchers.delete(listener);
      this.#tellWatchers();
    };
  }

  async snapshot(): Promise<LiveSnapshot> {
    return await this.#participant.openWith(
      ({ store }) => store.snapshot(),
      async (ask) => {
        const [handle, facts] = await ask('snapshot.open');
        return new RemoteSnapshot(handle, facts, ask);
      },
    );
  }

  async at(seq: number): Promise<StateSnapshot> {
    return await this.#participant.openWith<StateSnapshot>(
      ({ store }) => store.at(seq),
      async (ask) => {
        const [handle, position] = await ask('past.open', seq);
        const opened = new RemoteSnapshot(handle, { ...position, ...NO_HISTORY }, ask);
        return new RemotePast(opened, () => this.at(seq));
      },
    );
  }

  async seqAtTime(timeMs: number): Promise<number> {
    return await this.#participant.ask('seqAtTime', [timeMs]);
  }

  async schemaVersion(): Promise<string | undefined> {
    return await this.#participant.ask('schemaVersion', []);
  }

  async history(scope: Bytes, key: Bytes, options: HistoryOptions = {}): Promise<HistoryItem[]> {
    return await this.#participant.ask('history', [scope, key, options]);
  }

  async releaseHistory(seq: number): Promise<void> {
    await this.#change('releaseHistory', [seq]);
  }

  async newGeneration(): Promise<GenerationWriter> {
    this.#assertWritable();
    const participant = this.#participant;
    return await participant.openWith<GenerationWriter>(
      ({ store }) => store.newGeneration(),
      async (ask) =>
        new RemoteGeneration(await ask('generation.open'), ask, (handle, origin) =>
          participant.activate(handle, origin),
        ),
    );
  }

  async rollbackPoints(): Promise<RollbackPoint[]> {
    return await this.#participant.ask('rollbackPoints', []);
  }

  async rollback(id: string): Promise<ActivatedGeneration> {
    return await this.#change('rollback', [id]);
  }

  async getMeta(name: string): Promise<Bytes | undefined> {
    return await this.#participant.ask('getMeta', [name]);
  }

  async setMeta(name: string, value: Bytes | null): Promise<void> {
    await this.#change('setMeta', [name, value]);
  }

  async close(): Promise<void> {
    await this.#participant.close();
  }

  async #change<Name extends OperationName>(
    name: Name,
    args: Parameters<Operations[Name]>,
    writer?: unknown,
  ): Promise<Awaited<ReturnType<Operations[Name]>>> {
    this.#assertWritable();
    return await this.#participant.change(name, args, writer);
  }

  #tellWatchers(): void {
    const { role } = this.#participant;
    if (role?.kind === 'guest') role.link.watch(this.#watchers.size);
  }

  #assertWritable(): void {
    this.#participant.assertOpen();
    if (this.readOnly)
      throw new LlmspellError('STATE_READONLY', 'The state was opened read-only and cannot be changed.');
  }
}

/** A moment of the past has none. */
const NO_HISTORY = { historyStart: 0, historyStartMs: 0, restoredFrom: undefined, schemaMarks: [] };
