import type { BackupManager } from '../backup/manager.js';
import { abortable, type Report, reporter } from '../backup/operation.js';
import type { BackupRecord, OperationOptions, Progress } from '../backup/types.js';
import { LlmspellError } from '../errors.js';
import type {
  ActivatedGeneration,
  GenerationWriter,
  LiveSnapshot,
  Position,
  RollbackPoint,
  StateStore,
} from '../state/types.js';
import { throwIfAborted } from '../util/abort.js';
import { printable } from '../util/bytes.js';
import { type Clock, systemClock } from '../util/clock.js';
import { type Build, compare, type Effect, fill, verify } from './build.js';
import { Merge } from './merge.js';
import { type Moment, planMoment, planOfChain } from './plan.js';
import { reachOf } from './reach.js';
import { schemaWarnings } from './schema-warning.js';
import { openScratch, type ScratchState } from './scratch.js';
import { historySource, type RecoverySource } from './source.js';
import type { Reach, RecoveryPlan, RecoveryTarget, RestoreOptions, RestoreResult } from './types.js';

const ROLLBACK_ID = /^rollback-\d+$/;

export interface RecoverySetup {
  store: StateStore;
  backups: BackupManager;
  /** As that of the store: what it refuses is told of a state that was restored. */
  assertSchema?: (version: string | undefined) => void;
  clock?: Clock;
}

/** One restore under way. */
interface Run {
  /** The state that is changed. */
  store: StateStore;
  plan: RecoveryPlan;
  /** What is gone back to: the time asked for, or that of the change. */
  moment: Position;
  source: RecoverySource;
  options: RestoreOptions;
  report: Report;
}

interface Done {
  effect: Effect;
  /** Absent after a dry run. */
  activated?: ActivatedGeneration;
}

type Outcome = Omit<RestoreResult, 'durationMs'>;

/**
 * Takes a state back: to a backup, to a moment, or undoing an earlier restore. Phases, as progress tells them: `prepare`, `validate`,
 * `rollback_point`, `restore`, `verify`, `swap`. Everything before the swap happens beside the live state, and the swap is one
 * atomic write: a restore that fails, is aborted or killed leaves the state as it was.
 */
export class RecoveryOrchestrator {
  readonly #store: StateStore;
  readonly #backups: BackupManager;
  readonly #assertSchema: RecoverySetup['assertSchema'];
  readonly #clock: Clock;

  constructor({ store, backups, assertSchema, clock = systemClock }: RecoverySetup) {
    this.#store = store;
    this.#backups = backups;
    this.#assertSchema = assertSchema;
    this.#clock = clock;
  }

  /**
   * How a target would be reached. Throws as `BackupManager.find` and `chain`, and `HISTORY_UNREACHABLE`, saying why and what the nearest
   * moments are.
   */
  async plan(target: RecoveryTarget): Promise<RecoveryPlan> {
    if ('backupId' in target) return planOfChain(await this.#backups.chain(target.backupId));
    const moment: Moment = 'seq' in target ? target : await this.#momentAt(target.timeMs);
    const snapshot = await this.#store.snapshot();
    await snapshot.close();
    const records = await this.#backups.list();
    const { historyStart, seq } = snapshot;
    const storeId = seq === 0 && moment.timeMs === undefined ? newestStore(records) : undefined;
    const plan = planMoment(moment, records, { storeId: storeId ?? snapshot.storeId, historyStart, seq });
    if (!('unreachable' in plan)) return plan;
    throw new LlmspellError('HISTORY_UNREACHABLE', plan.unreachable, { hint: 'Choose another time, or a backup.' });
  }

  /** Which moments the history and the backups can give, and which they cannot, and why. Nothing of the archives but their ends is read. */
  async reach(): Promise<Reach> {
    const snapshot = await this.#store.snapshot();
    await snapshot.close();
    const { storeId, historyStartMs: fromMs, seq } = snapshot;
    const records = await this.#backups.list();
    if (seq === 0) return reachOf(records, undefined);
    const toMs = this.#clock.nowMs();
    const isKept = await this.#momentAt(toMs).then((moment) => moment.seq !== undefined);
    return reachOf(records, { storeId, ...(isKept && { history: { fromMs, toMs } }) });
  }

  /**
   * Takes the state back to the target: all of it, or some scopes (recorded as ordinary changes). Throws what `plan` throws,
   * `BACKUP_DAMAGED` and `BACKUP_CHAIN_BROKEN` naming the archive, `RESTORE_FAILED`, `ABORTED`; the state is then as it was.
   *
   * @param into another state to change instead: this one is only read, for its history.
   */
  async restore(target: RecoveryTarget, options: RestoreOptions = {}, into = this.#store): Promise<RestoreResult> {
    if (options.scopes?.length === 0) {
      throw new LlmspellError('USAGE', 'A restore of no scopes at all was asked for.', { hint: 'Name the scopes.' });
    }
    const startMs = this.#clock.nowMs();
    const finish = (result: Outcome): RestoreResult => ({
      ...result,
      durationMs: this.#clock.nowMs() - startMs,
    });
    return await abortable('The restore', options.signal, async () => {
      const point = await this.#rollbackPoint(target);
      if (point && into === this.#store && isPlain(options)) return finish(await this.#rollBack(point, options));
      const report = reporter('restore', options);
      report({ phase: 'prepare', message: 'Planning' });
      const plan = await this.plan(point ? { seq: point.seq } : target);
      try {
        return finish(await this.#follow(plan, options, into, report));
      } catch (error) {
        // Found on the way: whoever is told is told all that is wrong with the chain.
        if (isDamage(error) && options.verify !== false) await this.#validate(plan, options, report);
        throw error;
      }
    });
  }

  async #follow(plan: RecoveryPlan, options: RestoreOptions, into: StateStore, report: Report): Promise<Outcome> {
    const run = await this.#prepare(plan, options, into, report);
    try {
      return await this.#run(run);
    } finally {
      await run.source.close();
    }
  }

  /**
   * A throw-away copy of a past state, to look at or to run a script on; nothing that happens to it touches this state. The caller
   * closes it, which removes it. Errors as `restore`.
   */
  async copy(target: RecoveryTarget, options: OperationOptions = {}): Promise<ScratchState> {
    const scratch = await openScratch();
    try {
      await this.restore(target, { ...options, backupCurrent: false }, scratch.store);
      return scratch;
    } catch (error) {
      await scratch.close();
      throw error;
    }
  }

  /** Newest first. Their ids can be restored, which undoes the restore that made them. */
  async rollbackPoints(): Promise<RollbackPoint[]> {
    return await this.#store.rollbackPoints();
  }

  async #momentAt(timeMs: number): Promise<Moment> {
    if (timeMs > this.#clock.nowMs()) {
      const message = `${new Date(timeMs).toISOString()} lies in the future.`;
      throw new LlmspellError('HISTORY_UNREACHABLE', message, { hint: 'Choose a time that has passed.' });
    }
    try {
      return { timeMs, seq: await this.#store.seqAtTime(timeMs) };
    } catch (error) {
      if (error instanceof LlmspellError && error.code === 'HISTORY_UNREACHABLE') return { timeMs };
      throw error;
    }
  }

  async #prepare(found: RecoveryPlan, options: RestoreOptions, store: StateStore, report: Report): Promise<Run> {
    report({ phase: 'validate', message: 'Every byte of each archive is checked' });
    if (options.verify !== false && !isReadWhole(options)) await this.#validate(found, options, report);
    const { plan, source } = await this.#open(found, options);
    const moment = { ...source.position, ...plan.target };
    return { store, plan: { ...plan, target: moment }, moment, source, options, report };
  }

  /**
   * Reads every byte of the chain: a damaged archive in it refuses the restore. Where all of it is going to be read anyway, that is done on the
   * way, and nothing is swapped before the last byte has been found sound; only what is wrong is then told from here.
   */
  async #validate({ chain }: RecoveryPlan, options: RestoreOptions, report: Report): Promise<void> {
    const head = chain.at(-1);
    if (!head) return;
    const onProgress = ({ done, total, message }: Progress) =>
      report({ phase: 'validate', backupId: head.id, done, ...(total !== undefined && { total }), message });
    const { signal } = options;
    const watching = { onProgress, ...(signal && { signal }) };
    const result = await this.#backups.validate(head.id, watching);
    if (result.isValid) return;
    // A key that is missing or another one is no damage, and says so when the archive is opened.
    if (result.checksumValid) await (await this.#backups.open(head.id)).close();
    const code = result.checksumValid && result.integrityValid ? 'BACKUP_CHAIN_BROKEN' : 'BACKUP_DAMAGED';
    throw new LlmspellError(code, `Backup ${head.id} cannot be restored: ${result.errors.join(' ')}`, {
      subject: head.id,
    });
  }

  async #open(plan: RecoveryPlan, options: RestoreOptions): Promise<{ plan: RecoveryPlan; source: RecoverySource }> {
    const { signal, verify = true } = options;
    if (plan.history) return { plan, source: historySource(await this.#store.at(plan.history.toSeq)) };
    const { seq, timeMs } = plan.target;
    const until = seq === undefined ? { timeMs: timeMs! } : { seq };
    try {
      return { plan, source: await this.#backups.openState(plan.chain, until, { ...(signal && { signal }), verify }) };
    } catch (error) {
      // Only reading it showed that the archive does not lead there; the history may.
      const isElsewhere = error instanceof LlmspellError && error.code === 'HISTORY_UNREACHABLE';
      if (!isElsewhere || seq === undefined || plan.target.storeId !== this.#store.storeId) throw error;
      const source = historySource(await this.#store.at(seq));
      return { plan: { chain: [], history: { fromSeq: seq, toSeq: seq }, target: plan.target }, source };
    }
  }

  async #run(run: Run): Promise<Outcome> {
    const { plan, moment, options, source, store } = run;
    const before = await store.schemaVersion();
    const isWhole = !options.scopes && !options.preserveUntracked;
    const { effect, activated }: Done = options.dryRun ? { effect: await this.#compare(run) } : await this.#build(run);
    return {
      backupId: plan.chain.at(-1)?.id,
      dryRun: options.dryRun ?? false,
      plan,
      ...(options.dryRun && { reach: await this.reach() }),
      ...effect,
      rollbackId: activated?.rollbackId,
      chain: plan.chain.map(({ id }) => id),
      restoredToMs: moment.timeMs,
      schemaVersion: source.schemaVersion,
      warnings: schemaWarnings(before, source.schemaVersion, isWhole, this.#assertSchema),
    };
  }

  /** What a restore would do to the present state. */
  async #compare(run: Run): Promise<Effect> {
    return await this.#withPresent(run, (present) => compare(buildOf(run), present));
  }

  async #withPresent({ store, options }: Run, work: (present: LiveSnapshot) => Promise<Effect>): Promise<Effect> {
    const present = await store.snapshot();
    try {
      const effect = await work(present);
      return options.preserveUntracked ? { ...effect, entriesDeleted: 0 } : effect;
    } finally {
      await present.close();
    }
  }

  async #build(run: Run): Promise<Done> {
    const { store, options, report } = run;
    report({ phase: 'rollback_point', message: 'The present state is kept as it is until the swap' });
    const generation = await store.newGeneration();
    try {
      const build = buildOf(run);
      const effect = await this.#withPresent(run, (present) => fill(build, generation, present));
      await verify(build, generation, effect.entriesRestored);
      const isWhole = !options.scopes && !options.preserveUntracked;
      const activated = await (isWhole ? this.#swapWhole(run, generation) : this.#swapMerged(run, generation));
      return { effect, activated };
    } finally {
      await generation.discard();
    }
  }

  async #swapWhole(run: Run, generation: GenerationWriter): Promise<ActivatedGeneration> {
    const { plan, source, options, report } = run;
    const backupId = await this.#restoredBackup(plan, source);
    report({ phase: 'swap', message: 'Swapping' });
    throwIfAborted(options.signal);
    return await generation.activate({
      description: describe(run),
      rewind: { position: source.position, ...(backupId !== undefined && { backupId }) },
      schema: { version: source.schemaVersion },
      keepOld: options.backupCurrent ?? true,
    });
  }

  async #swapMerged(run: Run, generation: GenerationWriter): Promise<ActivatedGeneration> {
    const { store, options, report } = run;
    const merge = new Merge(store, generation, options);
    const present = await store.snapshot();
    try {
      await merge.complete(present);
    } catch (error) {
      await present.close();
      throw error;
    }
    report({ phase: 'swap', message: 'Swapping' });
    const what = options.scopes ? `${options.scopes.map(printable).join(', ')} from ` : '';
    return await merge.activate(present, `${what}${describe(run)}`, options.backupCurrent ?? true);
  }

  /** The backup that the next incremental one may rest on: only where the state is exactly that of the backup. */
  async #restoredBackup({ chain }: RecoveryPlan, { position }: RecoverySource): Promise<string | undefined> {
    const head = chain.at(-1);
    if (!head) return undefined;
    const record = await this.#backups.find(head.id);
    return record.position.seq === position.seq ? head.id : undefined;
  }

  async #rollbackPoint(target: RecoveryTarget): Promise<RollbackPoint | undefined> {
    if (!('backupId' in target) || !ROLLBACK_ID.test(target.backupId)) return undefined;
    const id = target.backupId;
    const point = (await this.#store.rollbackPoints()).find((known) => known.id === id);
    if (point) return point;
    throw new LlmspellError('NOT_FOUND', `There is no rollback point ${id} any more.`, {
      subject: id,
      hint: 'The newest three are kept, for at most seven days. Restore a backup or a time instead.',
    });
  }

  /** Nothing is rebuilt: the old state still stands beside the live one. */
  async #rollBack({ id, seq, timeMs }: RollbackPoint, options: RestoreOptions): Promise<Outcome> {
    const { storeId } = this.#store;
    reporter('restore', options)({ phase: 'swap', message: 'Swapping' });
    const before = await this.#store.schemaVersion();
    const { rollbackId } = await this.#store.rollback(id);
    const schemaVersion = await this.#store.schemaVersion();
    return {
      backupId: id,
      dryRun: false,
      plan: { chain: [], target: { storeId, seq, timeMs } },
      entriesRestored: 0,
      entriesDeleted: 0,
      rollbackId,
      chain: [],
      restoredToMs: timeMs,
      schemaVersion,
      warnings: schemaWarnings(before, schemaVersion, true, this.#assertSchema),
    };
  }
}

/** Whether every archive of the chain is read from its beginning to its end. */
const isReadWhole = ({ dryRun, scopes }: RestoreOptions): boolean => !dryRun && !scopes;

const isDamage = (error: unknown): boolean => error instanceof LlmspellError && error.code === 'BACKUP_DAMAGED';

/** A state in which nothing has happened yet takes the place of another: changes are numbered as in that of the newest backup. */
const newestStore = (records: readonly BackupRecord[]): string | undefined =>
  records.findLast(({ damage }) => damage === undefined)?.position.storeId;

/** Whether the whole state is to become the old one. */
const isPlain = ({ dryRun, scopes, preserveUntracked }: RestoreOptions): boolean =>
  !dryRun && !scopes && !preserveUntracked;

/** The backup, or the time, that the state was taken back to: for history and for people. */
function describe({ plan, moment }: Run): string {
  const head = plan.chain.at(-1);
  return head ? `backup ${head.id}` : new Date(moment.timeMs).toISOString();
}

function buildOf({ plan, source, options, report }: Run): Build {
  const { scopes, signal } = options;
  const isCounted = plan.chain.length > 0 && !scopes;
  const mostEntries = isCounted ? plan.chain.reduce((sum, { recordCount }) => sum + recordCount, 0) : undefined;
  return { source, mostEntries, scopes, report, signal };
}
