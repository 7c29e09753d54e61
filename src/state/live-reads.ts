import { LlmspellError } from '../errors.js';
import { type Bytes, latin1Of } from '../util/bytes.js';
import type { StateBackend } from './backend.js';
import { type EntrySource, entriesUnder } from './entries.js';
import type { Journal, Lookup } from './journal.js';
import { prefixEnd, scopePrefix } from './key.js';
import { concat, generationPrefix, readError, unsealEntry } from './layout.js';
import type { StoredValue } from './types.js';

/** How much is read ahead. */
const AHEAD_BYTES = 64 << 10;

/** The present: what the journal has accepted over what the backend has. */
export class LiveReads {
  readonly #backend: StateBackend;
  readonly #journal: Journal;
  /** The end of the line of writers, where the backend cannot read at once. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(backend: StateBackend, journal: Journal) {
    this.#backend = backend;
    this.#journal = journal;
  }

  /** Whether reading needs no waiting: {@link lookup} may be called. */
  get isSync(): boolean {
    return this.#backend.getSync !== undefined;
  }

  /** Resolves when the writers that stand in line now have had their turn. */
  get turn(): Promise<unknown> {
    return this.#turn;
  }

  /** Of any backend; {@link lookup} is quicker where it can be had. */
  async get(raw: Bytes): Promise<StoredValue | undefined> {
    return await this.#journal.pendingOr(raw, () => this.#fetch(raw));
  }

  /** At once, from a backend that can. */
  lookup(raw: Bytes): StoredValue | undefined {
    return this.#journal.pendingOr(raw, () => {
      try {
        return this.#unseal(raw, this.#backend.getSync!(concat(this.#prefix, raw)));
      } catch (error) {
        throw readError(error, raw);
      }
    });
  }

  /** As `StateStore.readAhead`. */
  async ahead(scope: Bytes, from: { gte: Bytes } | { gt: Bytes }, limit: number): Promise<Bytes[]> {
    // As they are now: one that is committed while the backend is read may be neither there nor in what was read.
    const pending = [...this.#journal.queue.pending()];
    const prefix = scopePrefix(scope);
    const range = { ...('gte' in from ? { gte: concat(prefix, from.gte) } : { gt: concat(prefix, from.gt) }), limit };
    const found: Bytes[] = [];
    let left = AHEAD_BYTES;
    try {
      for await (const page of entriesUnder(this.#backend, this.#prefix).iterate({ ...range, lt: prefixEnd(prefix)! }))
        for (const { key: raw, value } of page) {
          const entry = this.#journal.pendingOr(raw, () => ({ value }), pending);
          if (entry === undefined) continue;
          found.push(raw.subarray(prefix.length), entry.value);
          left -= raw.length + entry.value.length;
          if (left < 0) return found;
        }
    } catch (error) {
      // Whoever asks for what is damaged is told.
      if (!(error instanceof LlmspellError)) throw error;
    }
    return found;
  }

  /** Everything accepted so far, as the backend has it. After a failed commit: what it has. */
  async committed(): Promise<EntrySource> {
    const { queue } = this.#journal;
    if (!queue.hasFailed) await queue.drain();
    return entriesUnder(this.#backend, this.#prefix);
  }

  /**
   * Calls `body` with a way to read the keys `looked`. Where the backend reads at once, `body` runs before this returns;
   * else writers take turns, each after what was accepted before it is in the backend.
   */
  async withLookup<T>(looked: readonly Bytes[], body: (lookup: Lookup) => Promise<T>): Promise<T> {
    if (this.isSync) return await body((raw) => this.lookup(raw));
    const turn = this.#turn.then(async () => {
      const fetched = new Map<string, StoredValue>();
      if (looked.length > 0) await this.#journal.queue.drain();
      for (const raw of looked) {
        const entry = await this.#fetch(raw);
        if (entry !== undefined) fetched.set(latin1Of(raw), entry);
      }
      const written = body((raw) => this.#journal.pendingOr(raw, () => fetched.get(latin1Of(raw))));
      return { written };
    });
    this.#turn = turn.catch(() => undefined);
    return await (await turn).written;
  }

  /** What the keys of live entries begin with. */
  get #prefix(): Bytes {
    return generationPrefix(this.#journal.timeline.generation);
  }

  async #fetch(raw: Bytes): Promise<StoredValue | undefined> {
    try {
      return this.#unseal(raw, await this.#backend.get(concat(this.#prefix, raw)));
    } catch (error) {
      throw readError(error, raw);
    }
  }

  /** What a generation was filled with counts as written when it became the live one. */
  #unseal(raw: Bytes, sealed: Bytes | undefined): StoredValue | undefined {
    if (sealed === undefined) return undefined;
    const entry = unsealEntry(raw, sealed);
    const { startSeq } = this.#journal.timeline;
    return entry.seq < startSeq ? { value: entry.value, seq: startSeq } : entry;
  }
}
