import { LlmspellError } from '../errors.js';
import { changeOf } from '../state/change-batch.js';
import { assertStorable } from '../state/names.js';
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
  RollbackPoint,
  StateSnapshot,
  StateStore,
  StoredValue,
} from '../state/types.js';
import type { Bytes } from '../util/bytes.js';
import { randomHex } from '../util/hash.js';
import { thisProcess } from '../util/process-identity.js';
import { packChanges } from './changes.js';
import { HolderGone } from './holder-gone.js';
import { type Guest, type Holder, join, type MembershipOptions, type Role } from './membership.js';
import { type OperationName, type Operations, operationsOn, type Written } from './operations.js';
import type { GuestFacts, Handle } from './protocol.js';
import { type Ask, RemoteGeneration, RemotePast, RemoteSnapshot } from './remote.js';

/** Who holds a state begins to serve after this: most commands have ended by then. */
const SERVE_AFTER_MS = 25;
/** When the holder has gone, the next one has to read its log. */
const TAKE_OVER_MS = 10_000;

export interface SharedStoreOptions extends Omit<MembershipOptions, 'guest'> {
  durability: Durability;
  maxValueBytes: number;
  /** This process does not change the state, though others may through it. */
  readOnly: boolean;
  /** How long to wait for a holder that cannot be reached. */
  timeoutMs: number;
}

/** Opens a state that other processes work on, too. Throws as opening a store does, `STATE_LOCKED` among it. */
export async function openShared(options: SharedStoreOptions): Promise<StateStore> {
  const store = new SharedStore(options);
  await store.open();
  return store;
}

/**
 * A state over all processes of this machine: the store itself where this process holds it, otherwise requests to the one that does. When the
 * holder goes, this process becomes the holder or the guest of another one, and what was not answered is asked again (`protocol.ts`).
 */
class SharedStore implements StateStore {
  readonly persistent = true;
  readonly readOnly: boolean;
  readonly durability: Durability;
  readonly #options: SharedStoreOptions;
  readonly #guest: GuestFacts;
  readonly #watchers = new Set<(writer: unknown) => void>();
  /** Requests not answered yet, ascending, and who makes them. */
  readonly #requests = new Map<number, unknown>();
  #lastId = 0;
  /** Called whenever the last of them is answered. */
  #idle = (): void => undefined;
  #role: Role | undefined;
  #joining: Promise<Role> | undefined;
  #hasWritten = false;
  #closing: Promise<void> | undefined;
  /** As far as this process has heard. */
  #position: Position & { backendKind: string } = { storeId: '', seq: 0, timeMs: 0, backendKind: '' };

  constructor(options: SharedStoreOptions) {
    this.#options = options;
    this.readOnly = options.readOnly;
    this.durability = options.durability;
    this.#guest = { id: randomHex(8), process: thisProcess(), durability: options.durability };
  }

  async open(): Promise<void> {
    await this.#join(this.#options.timeoutMs, SERVE_AFTER_MS);
  }

  get storeId(): string {
    return this.position().storeId;
  }

  get backendKind(): string {
    return this.#role?.kind === 'holder' ? this.#role.store.backendKind : this.#position.backendKind;
  }

  position(): Position {
    if (this.#role?.kind === 'holder') return this.#role.store.position();
    const { storeId, seq, timeMs } = this.#position;
    return { storeId, seq, timeMs };
  }

  async get(scope: Bytes, key: Bytes): Promise<StoredValue | undefined> {
    return await this.#ask('get', [scope, key]);
  }

  async has(scope: Bytes, key: Bytes): Promise<boolean> {
    return await this.#ask('has', [scope, key]);
  }

  async list(scope: Bytes, options: ListOptions = {}): Promise<Bytes[]> {
    return await this.#ask('list', [scope, options]);
  }

  async scopes(): Promise<Bytes[]> {
    return await this.#ask('scopes', []);
  }

  async write(changes: readonly Change[], writer?: unknown): Promise<Written> {
    return (await this.writeIf([], changes, writer))!;
  }

  async writeBatch(batch: ChangeBatch, writer?: unknown): Promise<Written> {
    this.#assertWritable();
    const role = this.#role;
    if (role?.kind === 'holder') {
      const written = await role.store.writeBatch(batch, writer);
      await role.server.settled();
      return written;
    }
    const changes: Change[] = [];
    try {
      for (; batch.next(); assertStorable(changes.at(-1)!, this.#options.maxValueBytes)) changes.push(changeOf(batch));
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
    for (const change of changes) assertStorable(change, this.#options.maxValueBytes);
    const written = await this.#change('writeIf', [reads, changes], writer);
    if (written !== undefined) this.#position = { ...this.#position, seq: Math.max(this.#position.seq, written.seq) };
    return written;
  }

  async increment(scope: Bytes, key: Bytes, by: Bytes, writer?: unknown): Promise<Bytes> {
    return await this.#change('increment', [scope, key, by], writer);
  }

  async clear(scope: Bytes): Promise<number> {
    return await this.#change('clear', [scope]);
  }

  async flush(): Promise<void> {
    await this.#ask('flush', []);
  }

  watch(listener: (writer: unknown) => void): () => void {
    this.#watchers.add(listener);
    this.#tellWatchers();
    return () => {
      this.#watchers.delete(listener);
      this.#tellWatchers();
    };
  }

  async snapshot(): Promise<LiveSnapshot> {
    return await this.#open(
      ({ store }) => store.snapshot(),
      async (ask) => {
        const [handle, facts] = await ask('snapshot.open');
        return new RemoteSnapshot(handle, facts, ask);
      },
    );
  }

  async at(seq: number): Promise<StateSnapshot> {
    return await this.#open<StateSnapshot>(
      ({ store }) => store.at(seq),
      async (ask) => {
        const [handle, position] = await ask('past.open', seq);
        const opened = new RemoteSnapshot(handle, { ...position, ...NO_HISTORY }, ask);
        return new RemotePast(opened, () => this.at(seq));
      },
    );
  }

  async seqAtTime(timeMs: number): Promise<number> {
    return await this.#ask('seqAtTime', [timeMs]);
  }

  async schemaVersion(): Promise<string | undefined> {
    return await this.#ask('schemaVersion', []);
  }

  async history(scope: Bytes, key: Bytes, options: HistoryOptions = {}): Promise<HistoryItem[]> {
    return await this.#ask('history', [scope, key, options]);
  }

  async releaseHistory(seq: number): Promise<void> {
    await this.#change('releaseHistory', [seq]);
  }

  async newGeneration(): Promise<GenerationWriter> {
    this.#assertWritable();
    return await this.#open<GenerationWriter>(
      ({ store }) => store.newGeneration(),
      async (ask) =>
        new RemoteGeneration(await ask('generation.open'), ask, (handle, origin) => this.#activate(handle, origin)),
    );
  }

  async rollbackPoints(): Promise<RollbackPoint[]> {
    return await this.#ask('rollbackPoints', []);
  }

  async rollback(id: string): Promise<ActivatedGeneration> {
    return await this.#change('rollback', [id]);
  }

  async getMeta(name: string): Promise<Bytes | undefined> {
    return await this.#ask('getMeta', [name]);
  }

  async setMeta(name: string, value: Bytes | null): Promise<void> {
    await this.#change('setMeta', [name, value]);
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    await this.#joining?.catch(() => undefined);
    if (this.#role?.kind === 'guest') await this.#finish();
    // Meanwhile it may have become another one.
    if (this.#role?.kind === 'guest') this.#role.link.close();
    else if (this.#role?.kind === 'holder') await this.#letGo(this.#role);
  }

  /** As a store's own close leaves nothing unwritten. */
  async #finish(): Promise<void> {
    if (this.#hasWritten) await this.#request('flush', []).catch(() => undefined);
    if (this.#requests.size > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
  }

  async #letGo({ server, store }: Holder): Promise<void> {
    try {
      await server.close();
    } finally {
      await store.close();
    }
  }

  async #change<Name extends OperationName>(
    name: Name,
    args: Parameters<Operations[Name]>,
    writer?: unknown,
  ): Promise<Awaited<ReturnType<Operations[Name]>>> {
    this.#assertWritable();
    this.#hasWritten = true;
    return await this.#ask(name, args, writer);
  }

  async #ask<Name extends OperationName>(
    name: Name,
    args: Parameters<Operations[Name]>,
    writer?: unknown,
  ): Promise<Awaited<ReturnType<Operations[Name]>>> {
    this.#assertOpen();
    // Without a pause, as the store has it: writes take effect in the order of the calls.
    const answer = this.#role?.kind === 'holder' ? this.#perform(this.#role, name, args, writer) : undefined;
    return (await (answer ?? this.#request(name, args, writer))) as Awaited<ReturnType<Operations[Name]>>;
  }

  async #perform({ store, server }: Holder, name: OperationName, args: readonly unknown[], writer: unknown) {
    const operation = operationsOn(store, { writer })[name] as (...args: readonly unknown[]) => Promise<unknown>;
    const result = await operation(...args);
    await server.settled();
    return result;
  }

  /** Asks whoever holds the state, and again whoever holds it then, until there is an answer; takes effect once. */
  async #request(name: OperationName | 'generation.activate', args: readonly unknown[], writer?: unknown) {
    const id = ++this.#lastId;
    this.#requests.set(id, writer);
    try {
      for (;;) {
        const role = await this.#present();
        if (role.kind === 'holder') return await this.#performAgain(role, id, name, args, writer);
        try {
          return await role.link.request(name, id, this.#lowest(), name === 'writeIf' ? packed(args) : args);
        } catch (error) {
          if (!(error instanceof HolderGone)) throw error;
        }
      }
    } finally {
      this.#requests.delete(id);
      if (this.#requests.size === 0) this.#idle();
    }
  }

  /** What was asked of an earlier holder, now that this process is the holder. */
  async #performAgain(
    role: Holder,
    id: number,
    name: OperationName | 'generation.activate',
    args: readonly unknown[],
    writer: unknown,
  ): Promise<unknown> {
    const receipt = role.server.receipts.find(this.#guest.id, id);
    if (receipt !== undefined) return receipt.answer;
    if (name === 'generation.activate') throw new HolderGone();
    return await this.#perform(role, name, args, writer);
  }

  async #activate(handle: Handle, origin: Omit<GenerationOrigin, 'changes' | 'receipt'>): Promise<ActivatedGeneration> {
    this.#hasWritten = true;
    return (await this.#request('generation.activate', [handle, origin])) as ActivatedGeneration;
  }

  /** Opens something with the holder that stays open there. */
  async #open<T>(here: (role: Holder) => Promise<T>, there: (ask: Ask) => Promise<T>): Promise<T> {
    for (;;) {
      this.#assertOpen();
      const role = await this.#present();
      if (role.kind === 'holder') return await here(role);
      try {
        return await there(this.#askerOf(role));
      } catch (error) {
        if (!(error instanceof HolderGone)) throw error;
      }
    }
  }

  #askerOf({ link }: Guest): Ask {
    const ask = (name: string, ...args: unknown[]) => link.request(name, ++this.#lastId, this.#lowest(), args);
    return ask as Ask;
  }

  #lowest(): number {
    return this.#requests.keys().next().value ?? this.#lastId;
  }

  async #present(): Promise<Role> {
    return this.#role ?? (await this.#join(TAKE_OVER_MS, 0));
  }

  async #join(timeoutMs: number, serveAfterMs: number): Promise<Role> {
    this.#joining ??= this.#enter(timeoutMs, serveAfterMs).finally(() => {
      this.#joining = undefined;
    });
    return await this.#joining;
  }

  async #enter(timeoutMs: number, serveAfterMs: number): Promise<Role> {
    let role: Role | undefined;
    let hasEnded = false;
    const ended = () => {
      hasEnded = true;
      if (this.#role === role) this.#lost();
    };
    const changed = (spared: number) => this.#changed(spared === 0 ? undefined : this.#requests.get(spared));
    const options = { ...this.#options, guest: this.#guest, isWanted: () => this.#isWanted() };
    role = await join(options, { changed, ended }, timeoutMs, serveAfterMs);
    if (role.kind === 'holder') role.store.watch((writer) => this.#changed(writer));
    else this.#position = role.link.facts;
    this.#role = hasEnded ? undefined : role;
    this.#tellWatchers();
    return role;
  }

  /** The holder has gone. Whether or not anybody asks for something, somebody has to hold what others may wait for. */
  #lost(): void {
    this.#role = undefined;
    this.#changed(undefined);
    if (this.#closing === undefined) void this.#join(TAKE_OVER_MS, 0).catch(() => undefined);
  }

  #tellWatchers(): void {
    if (this.#role?.kind === 'guest') this.#role.link.watch(this.#watchers.size);
  }

  #changed(writer: unknown): void {
    for (const listener of this.#watchers) listener(writer);
  }

  #isWanted(): boolean {
    return this.#closing === undefined && this.#options.isWanted();
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

/** A moment of the past has none. */
const NO_HISTORY = { historyStart: 0, historyStartMs: 0, restoredFrom: undefined, schemaMarks: [] };

const packed = ([reads, changes]: readonly unknown[]): unknown[] => [reads, packChanges(changes as readonly Change[])];
