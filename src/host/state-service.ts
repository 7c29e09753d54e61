import type { FoundAhead } from '../channel/caller.js';
import { packNames } from '../channel/names.js';
import type { Answering, ListRange, PendingChange, ReadMark, StateChannel } from '../channel/protocol.js';
import type { CallContext, Handlers } from '../channel/responder.js';
import { LlmspellError } from '../errors.js';
import { decodeValue, encodeValue } from '../state/codec.js';
import type { HistoryItem, StateSnapshot, StateStore, StoredValue } from '../state/types.js';
import { type Bytes, equalBytes, utf8 } from '../util/bytes.js';
import { RingDrain } from './ring-drain.js';

export interface NamedCallContext {
  /** Tells the script's `on_progress` listener; a plain object. */
  emit(event: unknown): void;
  /** Aborted when the script has ended. */
  signal: AbortSignal;
}

/** One operation of `State` by its name: arguments as plain values in, a plain value out. */
export type NamedCall = (args: unknown[], context: NamedCallContext) => Promise<unknown>;

/** What is read of the past. */
export type StateView = Pick<StateSnapshot, 'get' | 'list' | 'scopes' | 'close'>;

export interface StateServiceOptions {
  /** Asked for at a script's first operation: a script that keeps nothing opens nothing. */
  store: () => Promise<StateStore>;
  /** `create_backup`, …; their names go into the machine's settings too. */
  calls?: Readonly<Record<string, NamedCall>>;
  /** Opens the state of a time or of a backup. Without it `State.at` takes times only. */
  openView?: (when: unknown) => Promise<StateView>;
}

/** How many views of the past one script may have open. */
const MOST_VIEWS = 64;

/** Answers `State` from a store. One service serves all scripts; each has a session of its own. */
export class StateService {
  readonly #options: StateServiceOptions;

  constructor(options: StateServiceOptions) {
    this.#options = options;
  }

  /**
   * @param ring what the script writes into
   * @param signal what ends an operation that begins now, at the latest when the script has ended
   */
  session(ring: SharedArrayBuffer, signal: () => AbortSignal): StateSession {
    return new StateSession(this.#options, ring, signal);
  }
}

export class StateSession {
  #opened: StateStore | undefined;
  readonly #options: StateServiceOptions;
  readonly #drain: RingDrain;
  readonly #signal: () => AbortSignal;
  readonly #views: StateView[] = [];
  #unwatch = (): void => undefined;

  constructor(options: StateServiceOptions, ring: SharedArrayBuffer, signal: () => AbortSignal) {
    this.#options = options;
    this.#drain = new RingDrain(ring, (batch) => this.#store.writeBatch(batch, this));
    this.#signal = signal;
  }

  get handlers(): Handlers {
    const { call, ...rest } = this.#operations();
    const entries = Object.entries(rest).map(([name, answer]) => [
      name,
      this.#whenOpen((args) => (answer as (...args: readonly unknown[]) => unknown)(...args)),
    ]);
    return {
      ...Object.fromEntries(entries),
      call: this.#whenOpen(([name, args], context) => call(name as string, args as Bytes, context)),
      drain: () => this.#drain.wake(),
    };
  }

  #whenOpen(answer: Handler): Handler {
    return (args, context) => {
      const ready = this.#ready();
      return ready === undefined ? answer(args, context) : ready.then(() => answer(args, context));
    };
  }

  /** Resolves when the state is open and holds what the script has written; undefined where it does. */
  #ready(): Promise<void> | undefined {
    if (this.#opened !== undefined) return this.#drain.drained();
    return this.#options.store().then((store) => {
      this.#open(store);
      return this.#drain.drained();
    });
  }

  #open(store: StateStore): void {
    this.#opened ??= store;
    this.#unwatch();
    this.#unwatch = store.watch((writer, names) => {
      if (writer !== this) this.#drain.nextEpoch(names);
    });
  }

  get #store(): StateStore {
    if (this.#opened === undefined) throw new LlmspellError('INTERNAL', 'The state was used before it was opened.');
    return this.#opened;
  }

  /**
   * Leaves the state for the one that there is by then.
   *
   * @param exchange puts another state in its place
   */
  async renew(exchange: () => Promise<void>): Promise<void> {
    await this.#drain.drained();
    await this.#leave();
    const wasOpen = this.#opened !== undefined;
    this.#opened = undefined;
    await exchange();
    // What the script writes next comes through the ring, and finds it open.
    if (wasOpen) this.#open(await this.#options.store());
    this.#drain.nextEpoch();
  }

  async #leave(): Promise<void> {
    this.#unwatch();
    await Promise.all(this.#views.splice(0).map((view) => view.close()));
  }

  /** Resolves when what the script has written is in the state; undefined where it is. */
  settled(): Promise<void> | undefined {
    return this.#drain.settled();
  }

  /** Takes what the script has written last and frees what it had open. Throws where a write failed and the script was not told. */
  async close(): Promise<void> {
    try {
      await this.#drain.finish();
    } finally {
      await this.#leave();
    }
  }

  #operations(): Answering<Omit<StateChannel, 'call' | 'list' | 'scopes' | 'getAhead'>> & {
    getAhead: (scope: Bytes, key: Bytes, after: Bytes | undefined, limit: number) => Promise<FoundAhead>;
    list: (scope: Bytes, range: ListRange, view?: number) => Promise<Bytes>;
    scopes: (view?: number) => Promise<Bytes>;
    call: (name: string, args: Bytes, context: CallContext) => Promise<Bytes>;
  } {
    return {
      open: () => !this.#store.readOnly && this.#store.durability !== 'always',
      get: (scope, key, view) => this.#get(scope, key, view, (value) => own(value)),
      getAhead: (scope, key, after, limit) => this.#getAhead(scope, key, after, limit),
      has: (scope, key, view) => this.#get(scope, key, view, (value) => value !== undefined),
      list: async (scope, range, view) => packNames(await this.#reader(view).list(scope, range)),
      scopes: async (view) => packNames(await this.#reader(view).scopes()),
      set: async (scope, key, value) => void (await this.#store.write([{ scope, key, value }], this)),
      delete: async (scope, key) => (await this.#store.write([{ scope, key, value: null }], this)).effective > 0,
      clear: (scope) => this.#store.clear(scope),
      flush: () => this.#store.flush(),
      read: (scope, key) => this.#entry(scope, key, ownValue),
      commit: async (reads, changes) => (await this.#commit(reads, changes)) !== undefined,
      increment: (scope, key, by) => this.#store.increment(scope, key, by, this),
      history: async (scope, key, limit) =>
        encodeHistory(await this.#store.history(scope, key, limit === undefined ? {} : { limit })),
      at: (when) => this.#at(decodeValue(when)),
      call: (name, args, context) => this.#call(name, args, context),
    };
  }

  #reader = (view: number | undefined): { list: Lister; scopes(): Promise<Bytes[]> } =>
    view === undefined ? this.#store : this.#view(view);

  #get<T>(scope: Bytes, key: Bytes, view: number | undefined, use: (value: Bytes | undefined) => T): T | Promise<T> {
    if (view !== undefined) return this.#view(view).get(scope, key).then(use);
    return this.#entry(scope, key, (entry) => use(entry?.value));
  }

  /** At once where the store can. */
  #entry<T>(scope: Bytes, key: Bytes, use: (entry: StoredValue | undefined) => T): T | Promise<T> {
    const now = this.#store.getNow(scope, key);
    return now === undefined ? this.#store.get(scope, key).then(use) : use(now.entry);
  }

  async #getAhead(scope: Bytes, key: Bytes, after: Bytes | undefined, limit: number): Promise<FoundAhead> {
    const value = await this.#get(scope, key, undefined, (found) => own(found));
    const from = after === undefined ? { gte: key } : { gt: after };
    const [first, , ...more] = await this.#store.readAhead(scope, from, limit + 1);
    return { value, more: packNames(first !== undefined && equalBytes(first, key) ? more : []) };
  }

  #view(number: number): StateView {
    const view = this.#views[number];
    if (view === undefined) throw new LlmspellError('USAGE', 'This view of the past is closed.');
    return view;
  }

  async #commit(reads: readonly ReadMark[], changes: readonly PendingChange[]) {
    return await this.#store.writeIf(reads, changes, this);
  }

  async #at(when: unknown): Promise<number> {
    if (this.#views.length >= MOST_VIEWS)
      throw new LlmspellError('USAGE', `A script may have ${MOST_VIEWS} views of the past open, and not one more.`);
    const view = await (this.#options.openView ?? ((moment) => this.#atTime(moment)))(when);
    return this.#views.push(view) - 1;
  }

  async #atTime(when: unknown): Promise<StateView> {
    const timeMs = typeof when === 'string' ? Date.parse(when) : Number(when) * 1000;
    if (!Number.isFinite(timeMs)) throw new LlmspellError('USAGE', `"${String(when)}" is no time.`);
    return await this.#store.at(await this.#store.seqAtTime(timeMs));
  }

  async #call(name: string, args: Bytes, context: CallContext): Promise<Bytes> {
    const call = this.#options.calls?.[name];
    if (call === undefined) throw new LlmspellError('INTERNAL', `The host has no operation "${name}".`);
    const result = await call(decodeValue(args) as unknown[], {
      emit: (event) => context.emit(own(encodeValue(event))),
      signal: this.#signal(),
    });
    return own(encodeValue(result));
  }
}

type Handler = (args: readonly unknown[], context: CallContext) => unknown;
type Lister = (scope: Bytes, range: ListRange) => Promise<Bytes[]>;

// Bytes that lie in a larger buffer would be posted with all of it.
function own(bytes: Bytes): Bytes;
function own(bytes: Bytes | undefined): Bytes | undefined;
function own(bytes: Bytes | undefined): Bytes | undefined {
  return bytes && new Uint8Array(bytes);
}

const ownValue = (stored: StoredValue | undefined): StoredValue | undefined =>
  stored && { value: own(stored.value), seq: stored.seq };

/** An array of `{value, deleted, at_ms, seq}`; the values' bytes as they are stored. */
function encodeHistory(items: readonly HistoryItem[]): Bytes {
  const header = Buffer.alloc(5);
  header[0] = 0xdd;
  header.writeUInt32BE(items.length, 1);
  const nil = new Uint8Array([0xc0]);
  const parts = items.flatMap(({ value, timeMs, seq }) => [
    new Uint8Array([0x84]),
    ...field('value', value ?? nil),
    ...field('deleted', new Uint8Array([value === null ? 0xc3 : 0xc2])),
    ...field('at_ms', encodeValue(timeMs)),
    ...field('seq', encodeValue(seq)),
  ]);
  return new Uint8Array(Buffer.concat([header, ...parts]));
}

const field = (name: string, value: Bytes): Bytes[] => [new Uint8Array([0xa0 | name.length]), utf8(name), value];
