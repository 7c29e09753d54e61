import type { Report } from '../backup/operation.js';
import { LlmspellError } from '../errors.js';
import { decodeKey, encodeKey } from '../state/key.js';
import type {
  ActivatedGeneration,
  Change,
  GenerationWriter,
  LiveSnapshot,
  RawEntry,
  StateStore,
} from '../state/types.js';
import { throwIfAborted } from '../util/abort.js';
import { type Bytes, bytesOfLatin1, latin1Of } from '../util/bytes.js';
import { changesBetween } from './difference-walk.js';
import { MigrationFailure } from './failure.js';
import type { Tally } from './tally.js';
import type { Transformer } from './transform.js';
import type { MigrationPlan } from './types.js';

const PAGE = 1000;
/** Where the state is held by another process others may still write in between; after so many attempts to catch up it gives up. */
const ATTEMPTS = 10;
/** Entries between two reports. */
const TELL_EVERY = 5000;

/** One migration under way. */
export interface MigrationRun {
  store: StateStore;
  plan: MigrationPlan;
  transformer: Transformer;
  tally: Tally;
  report: Report;
  /** Whether somebody watches: then the entries are counted first. */
  isWatched: boolean;
  signal: AbortSignal | undefined;
}

/** Reads every entry and takes it through the steps; with a generation, writes what comes out. */
export async function transformAll(
  { transformer, tally, report, isWatched, signal }: MigrationRun,
  present: LiveSnapshot,
  generation?: GenerationWriter,
): Promise<void> {
  const total = isWatched ? { total: await countEntries(present) } : {};
  let told = 0;
  for await (const page of present.entries()) {
    throwIfAborted(signal);
    const made = await transformer.page(page);
    // Where something has failed, nothing of it will ever be used: the rest is looked at only to name all that fails.
    if (generation && tally.failureCount === 0) await generation.write(made);
    if (tally.checked - told < TELL_EVERY && told > 0) continue;
    told = tally.checked;
    report({ phase: 'migrate', done: told, ...total, message: `${told} entries, ${tally.migrated} changed` });
  }
}

async function countEntries(present: LiveSnapshot): Promise<number> {
  let count = 0;
  for await (const page of present.keys()) count += page.length;
  return count;
}

/**
 * Builds the migrated state beside the live one and swaps it in. What others write meanwhile is migrated too; for the last part, from
 * catching up with them to the swap, they wait. Throws {@link MigrationFailure}; the state is then as it was.
 */
export async function migrateAll(run: MigrationRun): Promise<ActivatedGeneration & { changed: number }> {
  const { store, plan } = run;
  const generation = await store.newGeneration();
  const build = new Building(run, generation, await store.snapshot());
  try {
    await build.fill();
    const origin = { description: `migration from ${plan.from} to ${plan.to}`, schema: { version: plan.to } };
    for (let attempt = 1; ; attempt++) {
      try {
        const activated = await generation.activate({ ...origin, changes: build.changes() });
        return { ...activated, changed: build.changed };
      } catch (error) {
        if (!isConflict(error)) throw error;
        if (attempt === ATTEMPTS) throw outrun(error);
      }
    }
  } finally {
    await build.close();
    await generation.discard();
  }
}

const isConflict = (error: unknown): boolean => error instanceof LlmspellError && error.code === 'RESTORE_FAILED';

const outrun = (cause: unknown) =>
  new LlmspellError('MIGRATION_FAILED', 'Other processes wrote to the state faster than the migration could follow.', {
    hint: 'Nothing was changed. Migrate again while they write less, or from the process that has had the state open longest.',
    cause,
  });

class Building {
  /** Changes recorded in the history. */
  changed = 0;
  readonly #run: MigrationRun;
  readonly #generation: GenerationWriter;
  /** What the generation was last brought up to. */
  #present: LiveSnapshot;

  constructor(run: MigrationRun, generation: GenerationWriter, present: LiveSnapshot) {
    this.#run = run;
    this.#generation = generation;
    this.#present = present;
  }

  async fill(): Promise<void> {
    await transformAll(this.#run, this.#present, this.#generation);
    this.#assertNoFailure();
    // Once while others may go on, so that they wait for little.
    await this.#catchUp();
  }

  /** Read while nobody else may write. */
  async *changes(): AsyncGenerator<readonly Change[]> {
    const { report, signal, tally } = this.#run;
    await this.#catchUp();
    this.changed = 0;
    report({ phase: 'record', done: 0, message: 'Recording the changes; other writers wait' });
    for await (const page of changesBetween(this.#present.entries(), this.#generation.entries())) {
      throwIfAborted(signal);
      this.changed += page.length;
      report({
        phase: 'record',
        done: this.changed,
        total: Math.max(tally.migrated, this.changed),
        message: 'Recording the changes',
      });
      yield page;
    }
    report({ phase: 'swap', message: 'Swapping' });
  }

  async close(): Promise<void> {
    await this.#present.close();
  }

  /** Migrates what others have written since. */
  async #catchUp(): Promise<void> {
    const before = this.#present;
    const now = await this.#run.store.snapshot();
    this.#present = now;
    try {
      const written = await keysWritten(now, before.seq);
      for (let at = 0; at < written.length; at += PAGE) await this.#migrateKeys(now, written.slice(at, at + PAGE));
    } finally {
      await before.close();
    }
    this.#assertNoFailure();
  }

  async #migrateKeys(now: LiveSnapshot, raws: readonly Bytes[]): Promise<void> {
    const present: RawEntry[] = [];
    const gone: { key: Bytes; value: null }[] = [];
    for (const raw of raws) {
      const { scope, key } = decodeKey(raw)!;
      const value = await now.get(scope, key);
      if (value === undefined) gone.push({ key: raw, value: null });
      else present.push({ key: raw, value });
    }
    await this.#generation.write([...gone, ...(await this.#run.transformer.page(present))]);
  }

  #assertNoFailure(): void {
    const { tally, plan } = this.#run;
    if (tally.failureCount > 0) throw new MigrationFailure(plan.to, tally);
  }
}

/** In byte order. */
async function keysWritten(snapshot: LiveSnapshot, since: number): Promise<Bytes[]> {
  if (snapshot.seq === since) return [];
  const names = new Set<string>();
  for await (const page of snapshot.changesSince(since))
    for (const record of page) {
      if ('rewind' in record)
        throw new LlmspellError('MIGRATION_FAILED', 'A restore took place while the migration was under way.', {
          hint: 'Look at the state, and start the migration again.',
        });
      names.add(latin1Of(encodeKey(record.scope, record.key)));
    }
  return [...names].sort().map(bytesOfLatin1);
}
