import { LlmspellError } from '../errors.js';
import type { EntryPage } from '../state/entry-page.js';
import type {
  ActivatedGeneration,
  Change,
  GenerationOrigin,
  GenerationWriter,
  HistoryRecord,
  ListOptions,
  LiveSnapshot,
  RawEntry,
  RawWrite,
  SchemaMark,
  StateSnapshot,
} from '../state/types.js';
import type { Bytes } from '../util/bytes.js';
import { flat, type HandleOperations, pairs, rawChange, type SnapshotFacts } from './handles.js';
import { HolderGone, holderEnded } from './holder-gone.js';
import type { FlatEntries, Handle } from './protocol.js';

/** Asks the holder that the handle is of, and no other. Rejects with `HolderGone` where that is gone. */
export type Ask = <Name extends keyof HandleOperations>(
  name: Name,
  ...args: Parameters<HandleOperations[Name]>
) => Promise<Awaited<ReturnType<HandleOperations[Name]>>>;

/** Pages of an iterator of the holder's, one ahead of the reader. */
async function* pages<T>(ask: Ask, opening: Promise<Handle>): AsyncGenerator<readonly T[]> {
  const iterator = await opening;
  let next = ask('next', iterator);
  try {
    for (let page = await next; page !== undefined; page = await next) {
      next = ask('next', iterator);
      next.catch(() => undefined);
      yield page as readonly T[];
    }
  } finally {
    await ask('close', iterator).catch(() => undefined);
  }
}

async function* entryPages(ask: Ask, opening: Promise<Handle>): AsyncGenerator<readonly RawEntry[]> {
  for await (const page of pages<Bytes | null>(ask, opening)) yield pairs(page) as RawEntry[];
}

/** A snapshot that the holder has taken. */
export class RemoteSnapshot implements LiveSnapshot {
  readonly storeId: string;
  readonly seq: number;
  readonly timeMs: number;
  readonly historyStart: number;
  readonly historyStartMs: number;
  readonly restoredFrom: LiveSnapshot['restoredFrom'];
  readonly schemaVersion: string | undefined;
  readonly schemaMarks: readonly SchemaMark[];
  readonly #handle: Handle;
  readonly #ask: Ask;

  constructor(handle: Handle, facts: SnapshotFacts, ask: Ask) {
    this.storeId = facts.storeId;
    this.seq = facts.seq;
    this.timeMs = facts.timeMs;
    this.historyStart = facts.historyStart;
    this.historyStartMs = facts.historyStartMs;
    this.restoredFrom = facts.restoredFrom;
    this.schemaVersion = facts.schemaVersion;
    this.schemaMarks = facts.schemaMarks;
    this.#handle = handle;
    this.#ask = (name, ...args) => whileHolderLives(ask(name, ...args));
  }

  async get(scope: Bytes, key: Bytes): Promise<Bytes | undefined> {
    return await this.#ask('snapshot.get', this.#handle, scope, key);
  }

  async list(scope: Bytes, options: ListOptions = {}): Promise<Bytes[]> {
    return await this.#ask('snapshot.list', this.#handle, scope, options);
  }

  async scopes(): Promise<Bytes[]> {
    return await this.#ask('snapshot.scopes', this.#handle);
  }

  async *entries(scopes?: readonly Bytes[]): AsyncGenerator<readonly RawEntry[]> {
    yield* entryPages(this.#ask, this.#ask('snapshot.entries', this.#handle, scopes ?? null));
  }

  async *keys(scopes?: readonly Bytes[]): AsyncGenerator<readonly RawEntry[]> {
    yield* entryPages(this.#ask, this.#ask('snapshot.keys', this.#handle, scopes ?? null));
  }

  async *changesSince(seq: number): AsyncGenerator<readonly HistoryRecord[]> {
    yield* pages(this.#ask, this.#ask('snapshot.changes', this.#handle, seq));
  }

  async close(): Promise<void> {
    await this.#ask('close', this.#handle).catch(() => undefined);
  }
}

/** A state that the holder builds. */
export class RemoteGeneration implements GenerationWriter {
  readonly #handle: Handle;
  readonly #ask: Ask;
  readonly #activate: (handle: Handle, origin: GenerationOrigin) => Promise<ActivatedGeneration>;
  #isOver = false;

  /** @param activate as the operation, but sent again where the holder went before it answered */
  constructor(
    handle: Handle,
    ask: Ask,
    activate: (handle: Handle, origin: GenerationOrigin) => Promise<ActivatedGeneration>,
  ) {
    this.#handle = handle;
    this.#ask = (name, ...args) => whileHolderLives(ask(name, ...args));
    this.#activate = activate;
  }

  async write(entries: EntryPage | readonly RawWrite[]): Promise<void> {
    this.#assertOpen();
    await this.#ask('generation.write', this.#handle, flat('spans' in entries ? entries.entries() : entries));
  }

  async verify(): Promise<boolean> {
    this.#assertOpen();
    return await this.#ask('generation.verify', this.#handle);
  }

  async *entries(scopes?: readonly Bytes[]): AsyncGenerator<readonly RawEntry[]> {
    yield* entryPages(this.#ask, this.#ask('generation.entries', this.#handle, scopes ?? null));
  }

  async activate({ changes, ...origin }: GenerationOrigin): Promise<ActivatedGeneration> {
    this.#assertOpen();
    if (origin.rewind === undefined) await this.#sendChanges(changes);
    const activated = await whileHolderLives(this.#activate(this.#handle, origin));
    this.#isOver = true;
    return activated;
  }

  async #sendChanges(changes: GenerationOrigin['changes']): Promise<void> {
    // They are counted from here on.
    await this.#ask('generation.changes', this.#handle, []);
    for await (const page of changes ?? [])
      if (page.length > 0) await this.#ask('generation.changes', this.#handle, flatChanges(page));
  }

  async discard(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#ask('close', this.#handle).catch(() => undefined);
  }

  #assertOpen(): void {
    if (this.#isOver) throw new LlmspellError('INTERNAL', 'This generation was activated or discarded before.');
  }
}

const flatChanges = (page: readonly Change[]): FlatEntries => flat(page.map(rawChange));

async function whileHolderLives<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw error instanceof HolderGone ? holderEnded(error) : error;
  }
}

/** A moment of the past, which every holder can open: read on with the next one where one goes. */
export class RemotePast implements StateSnapshot {
  readonly storeId: string;
  readonly seq: number;
  readonly timeMs: number;
  readonly schemaVersion: string | undefined;
  readonly #open: () => Promise<StateSnapshot>;
  #opened: StateSnapshot;

  /** @param open opens the same moment with whoever holds the state then */
  constructor(opened: StateSnapshot, open: () => Promise<StateSnapshot>) {
    this.storeId = opened.storeId;
    this.seq = opened.seq;
    this.timeMs = opened.timeMs;
    this.schemaVersion = opened.schemaVersion;
    this.#opened = opened;
    this.#open = open;
  }

  async get(scope: Bytes, key: Bytes): Promise<Bytes | undefined> {
    return await this.#read((past) => past.get(scope, key));
  }

  async list(scope: Bytes, options?: ListOptions): Promise<Bytes[]> {
    return await this.#read((past) => past.list(scope, options));
  }

  async scopes(): Promise<Bytes[]> {
    return await this.#read((past) => past.scopes());
  }

  entries(scopes?: readonly Bytes[]): AsyncIterable<readonly RawEntry[]> {
    return this.#opened.entries(scopes);
  }

  keys(scopes?: readonly Bytes[]): AsyncIterable<readonly RawEntry[]> {
    return this.#opened.keys(scopes);
  }

  async close(): Promise<void> {
    await this.#opened.close();
  }

  async #read<T>(read: (past: StateSnapshot) => Promise<T>): Promise<T> {
    for (;;) {
      const opened = this.#opened;
      try {
        return await read(opened);
      } catch (error) {
        if (!(error instanceof LlmspellError && error.cause instanceof HolderGone)) throw error;
        // Of several reads that fail together the first opens it anew.
        if (this.#opened === opened) this.#opened = await this.#open();
      }
    }
  }
}
