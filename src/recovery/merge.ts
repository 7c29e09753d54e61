import { scopeFilter } from '../backup/chain-state.js';
import { comparable, compareStates } from '../backup/compare.js';
import { LlmspellError } from '../errors.js';
import { decodeKey, encodeKey } from '../state/key.js';
import type {
  ActivatedGeneration,
  Change,
  GenerationWriter,
  HistoryRecord,
  LiveSnapshot,
  RawWrite,
  StateStore,
} from '../state/types.js';
import { throwIfAborted } from '../util/abort.js';
import { type Bytes, latin1Of } from '../util/bytes.js';

/** Others may go on writing meanwhile; after so many attempts to catch up with them the restore gives up. */
const ATTEMPTS = 10;
const PAGE = 1000;

/**
 * Makes a generation that holds some restored scopes into a whole state: everything else is taken from the present one, which may
 * go on changing until the swap. Recorded as the ordinary changes that lead from the present state to the merged one.
 */
export class Merge {
  readonly #store: StateStore;
  readonly #generation: GenerationWriter;
  readonly #scopes: readonly Bytes[] | undefined;
  readonly #isRestored: (key: Bytes) => boolean;
  readonly #preserve: boolean;
  readonly #signal: AbortSignal | undefined;
  /** Entries of restored scopes that are there only because they are preserved. */
  readonly #preserved = new Set<string>();

  constructor(
    store: StateStore,
    generation: GenerationWriter,
    options: { scopes?: readonly Bytes[]; preserveUntracked?: boolean; signal?: AbortSignal },
  ) {
    this.#store = store;
    this.#generation = generation;
    this.#scopes = options.scopes;
    this.#isRestored = scopeFilter(options.scopes);
    this.#preserve = options.preserveUntracked ?? false;
    this.#signal = options.signal;
  }

  /** Copies what stays of the present state. */
  async complete(present: LiveSnapshot): Promise<void> {
    if (this.#preserve) await this.#preserveUntracked(present);
    if (!this.#scopes) return;
    for await (const page of present.entries()) {
      throwIfAborted(this.#signal);
      await this.#generation.write(page.filter(({ key }) => !this.#isRestored(key)));
    }
  }

  /** Swaps, as soon as nobody has written since the generation was last brought up to date. Takes `present` over. */
  async activate(present: LiveSnapshot, description: string, keepOld: boolean): Promise<ActivatedGeneration> {
    let current = present;
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          const changes = this.#changesFrom(current);
          return await this.#generation.activate({ description, changes, keepOld, expectedSeq: current.seq });
        } catch (error) {
          if (attempt === ATTEMPTS || !isConflict(error)) throw error;
        }
        const { seq } = current;
        await current.close();
        current = await this.#store.snapshot();
        await this.#catchUp(seq, current);
      }
    } finally {
      await current.close();
    }
  }

  async #preserveUntracked(present: LiveSnapshot): Promise<void> {
    const untracked: Bytes[] = [];
    await compareStates(comparable(this.#generation), comparable(present), this.#scopes, (kind, key) => {
      if (kind === 'onlyRight') untracked.push(Buffer.from(key));
    });
    for (let at = 0; at < untracked.length; at += PAGE) {
      await this.#copy(present, untracked.slice(at, at + PAGE));
    }
    for (const key of untracked) this.#preserved.add(latin1Of(key));
  }

  async #copy(present: LiveSnapshot, keys: readonly Bytes[]): Promise<void> {
    const entries = keys.map(async (raw) => {
      const { scope, key } = decodeKey(raw)!;
      return { key: raw, value: (await present.get(scope, key)) ?? null };
    });
    await this.#generation.write(await Promise.all(entries));
  }

  /** What others wrote meanwhile counts wherever the restore does not decide. */
  async #catchUp(fromSeq: number, present: LiveSnapshot): Promise<void> {
    const undecided = new Map<string, RawWrite>();
    for await (const page of present.changesSince(fromSeq)) {
      const writes = page.map(writeOf);
      await this.#generation.write(writes.filter(({ key }) => this.#isLeftAlone(key)));
      if (!this.#preserve) continue;
      for (const write of writes) if (!this.#isLeftAlone(write.key)) undecided.set(latin1Of(write.key), write);
    }
    if (undecided.size > 0) await this.#preserveNew(undecided);
  }

  #isLeftAlone(key: Bytes): boolean {
    return !this.#isRestored(key) || this.#preserved.has(latin1Of(key));
  }

  /** Of entries written meanwhile, those that the backup does not have are preserved too. */
  async #preserveNew(written: Map<string, RawWrite>): Promise<void> {
    for await (const page of this.#generation.entries(this.#scopes)) {
      for (const { key } of page) written.delete(latin1Of(key));
    }
    await this.#generation.write([...written.values()]);
    for (const name of written.keys()) this.#preserved.add(name);
  }

  async *#changesFrom(present: LiveSnapshot): AsyncGenerator<readonly Change[]> {
    // Both sides are walked in step, and the values of what differs fetched page by page.
    const different: { key: Bytes; gone: boolean }[] = [];
    await compareStates(comparable(present), comparable(this.#generation), this.#scopes, (kind, key) => {
      different.push({ key: Buffer.from(key), gone: kind === 'onlyLeft' });
    });
    const values = this.#valuesOf(new Set(different.filter(({ gone }) => !gone).map(({ key }) => latin1Of(key))));
    for (const { key, gone } of different) if (gone) yield [change(key, null)];
    yield* values;
  }

  async *#valuesOf(names: ReadonlySet<string>): AsyncGenerator<readonly Change[]> {
    for await (const page of this.#generation.entries(this.#scopes)) {
      const wanted = page.filter(({ key }) => names.has(latin1Of(key)));
      if (wanted.length > 0) yield wanted.map(({ key, value }) => change(key, value));
    }
  }
}

function change(raw: Bytes, value: Bytes | null): Change {
  const { scope, key } = decodeKey(raw)!;
  return { scope, key, value };
}

function writeOf(record: HistoryRecord): RawWrite {
  if ('rewind' in record) {
    throw new LlmspellError('RESTORE_FAILED', 'Another restore took place while this one was under way.');
  }
  return { key: encodeKey(record.scope, record.key), value: record.value };
}

const isConflict = (error: unknown): boolean => error instanceof LlmspellError && error.code === 'RESTORE_FAILED';
