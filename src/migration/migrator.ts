import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupManager } from '../backup/manager.js';
import { abortable, reporter } from '../backup/operation.js';
import type { OperationOptions } from '../backup/types.js';
import { errnoOf, LlmspellError } from '../errors.js';
import type { StateStore } from '../state/types.js';
import { type Clock, systemClock } from '../util/clock.js';
import type { LuaFile, LuaSteps, OpenLuaSteps } from './lua-steps.js';
import { planMigration, reachable } from './plan.js';
import { inspectSchemas, knownVersions, loadRegistry, type Registry } from './registry.js';
import { type MigrationRun, migrateAll, transformAll } from './run.js';
import { type EntryDifference, type StepCount, Tally } from './tally.js';
import { Transformer } from './transform.js';
import type { EntryFailure, MigrationPlan, Schema } from './types.js';

export interface MigrationSetup {
  store: StateStore;
  /** Where the schemas are. */
  directory: string;
  /** The largest value that may be stored. */
  maxValueBytes: number;
  openLua: OpenLuaSteps;
  /** Whether a backup comes first (`backup_on_migration`), and with what; undefined where the configuration has none. */
  backUpFirst: boolean;
  backups: () => Promise<BackupManager | undefined>;
  clock?: Clock;
}

export interface MigrationStatus {
  /** What the state is of; where it has no version, the lowest one, which it is taken for. */
  currentVersion: string | undefined;
  latestVersion: string | undefined;
  /** The state has no version of its own. */
  isAssumed: boolean;
  isLatest: boolean;
  migrationAvailable: boolean;
  totalSchemas: number;
  /** Versions that it can be migrated to, lowest first. */
  targets: string[];
  /** Why nothing can be said or done; one sentence. */
  error: string | undefined;
}

export interface MigrateOptions extends OperationOptions {
  /** Only tells what would happen: nothing is written, and entries that fail are in the result. */
  dryRun?: boolean;
}

export interface MigrationResult {
  status: 'completed' | 'already_current';
  dryRun: boolean;
  fromVersion: string;
  toVersion: string;
  plan: MigrationPlan;
  entriesChecked: number;
  /** Entries that were changed or removed. */
  entriesMigrated: number;
  byStep: StepCount[];
  byScope: { scope: string; entries: number }[];
  /** Changed entries in scopes beyond those listed. */
  inOtherScopes: number;
  /** The first ten. */
  differences: EntryDifference[];
  /** Of a dry run. */
  failures: readonly EntryFailure[];
  failureCount: number;
  backupId: string | undefined;
  /** Restoring it undoes the migration. */
  rollbackId: string | undefined;
  durationMs: number;
  warnings: string[];
}

export interface SchemaCheck {
  isValid: boolean;
  versions: string[];
  /** Of the schema files. */
  problems: string[];
  /** The version whose schema the entries were held against; undefined where there is none. */
  version: string | undefined;
  entriesChecked: number;
  failures: readonly EntryFailure[];
  failureCount: number;
}

const NONE = 'No current schema found';

/** Migrates a state between the versions of its schema: plans, then builds the new state beside the live one and swaps it in. */
export class Migrator {
  readonly #setup: MigrationSetup;
  readonly #clock: Clock;

  constructor(setup: MigrationSetup) {
    this.#setup = setup;
    this.#clock = setup.clock ?? systemClock;
  }

  /** Throws nothing about the schemas: what is wrong with them is its `error`. */
  async status(): Promise<MigrationStatus> {
    const schemaVersion = await this.#setup.store.schemaVersion();
    const known = await this.#loaded();
    if (typeof known === 'string') return statusOf(schemaVersion, [], known);
    return statusOf(schemaVersion, known.schemas);
  }

  async #loaded(): Promise<Registry | string> {
    try {
      return await loadRegistry(this.#setup.directory);
    } catch (error) {
      if (error instanceof LlmspellError) return error.message;
      throw error;
    }
  }

  /** Lowest first; from the names of the files, so also where what is in them is wrong. None where that cannot be told. */
  async versions(): Promise<string[]> {
    return await knownVersions(this.#setup.directory).catch(() => []);
  }

  /** Lowest first. Throws `SCHEMA_INVALID`. */
  async schemas(): Promise<readonly Schema[]> {
    return (await loadRegistry(this.#setup.directory)).schemas;
  }

  /**
   * How the state would be migrated. Throws `SCHEMA_INVALID`, `NOT_FOUND`, `MIGRATION_IMPOSSIBLE`.
   *
   * @param to a version. Default: the latest one.
   */
  async plan(to?: string): Promise<MigrationPlan> {
    const { schemas } = await loadRegistry(this.#setup.directory);
    return await this.#planOver(schemas, to);
  }

  async #planOver(schemas: readonly Schema[], to: string | undefined): Promise<MigrationPlan> {
    const schemaVersion = await this.#setup.store.schemaVersion();
    const [lowest] = schemas;
    if (!lowest)
      throw new LlmspellError('NOT_FOUND', `${NONE}: there are no schemas in ${this.#setup.directory}.`, {
        hint: 'Write one, as 1.0.0.toml, or set `runtime.state_persistence.schema_dir`.',
      });
    const isAssumed = schemaVersion === undefined;
    const from = schemaVersion ?? lowest.version;
    return planMigration(schemas, { from, to: to ?? schemas.at(-1)!.version, isAssumed });
  }

  /**
   * Migrates all entries, or none: whatever fails, is aborted or killed leaves the state as it was. Throws what `plan` throws, `MigrationFailure` naming the
   * entries, `MIGRATION_FAILED`, `SCRIPT_…` where a Lua step went over its limits, what making the backup throws, and `ABORTED`.
   */
  async migrate(to?: string, options: MigrateOptions = {}): Promise<MigrationResult> {
    const startMs = this.#clock.nowMs();
    return await abortable('The migration', options.signal, async () => {
      const { schemas } = await loadRegistry(this.#setup.directory);
      const plan = await this.#planOver(schemas, to);
      const done = await this.#run(schemas, plan, options);
      return { ...done, durationMs: this.#clock.nowMs() - startMs };
    });
  }

  /** The schemas, and the entries against the schema of the state's version. Throws only where the state cannot be read. */
  async validate(options: OperationOptions = {}): Promise<SchemaCheck> {
    const { registry, problems } = await inspectSchemas(this.#setup.directory);
    const { schemas } = registry;
    problems.push(...(await this.#luaProblems(schemas)));
    const version = (await this.#setup.store.schemaVersion()) ?? schemas[0]?.version;
    const schema = schemas.find((one) => one.version === version);
    const tally = new Tally({ legs: [] });
    if (schema) await this.#check(schema, tally, options);
    else if (version !== undefined) problems.push(`The state is of version ${version}, and there is no schema of it.`);
    return {
      isValid: problems.length === 0 && tally.failureCount === 0,
      versions: schemas.map((one) => one.version),
      problems,
      version: schema?.version,
      entriesChecked: tally.checked,
      failures: tally.failures,
      failureCount: tally.failureCount,
    };
  }

  async #check(schema: Schema, tally: Tally, options: OperationOptions): Promise<void> {
    const { version } = schema;
    const plan: MigrationPlan = {
      from: version,
      to: version,
      isAssumed: false,
      legs: [],
      kind: 'compatible',
      changes: [],
    };
    const run = this.#runOf(plan, [schema], tally, undefined, options);
    const present = await this.#setup.store.snapshot();
    try {
      await transformAll(run, present);
    } finally {
      await present.close();
    }
  }

  async #luaProblems(schemas: readonly Schema[]): Promise<string[]> {
    try {
      await (await this.#openLua(schemas.flatMap(({ steps }) => steps)))?.close();
      return [];
    } catch (error) {
      if (error instanceof LlmspellError) return [error.message];
      throw error;
    }
  }

  async #run(schemas: readonly Schema[], plan: MigrationPlan, options: MigrateOptions) {
    const { dryRun = false } = options;
    const result = { dryRun, fromVersion: plan.from, toVersion: plan.to, plan };
    const isCurrent = plan.from === plan.to && !plan.isAssumed;
    const tally = new Tally(plan);
    if (isCurrent) return { ...result, ...told(tally), status: 'already_current' as const, ...NOTHING };
    if (!dryRun) assertPossible(plan);
    const warnings = plan.isAssumed ? [`The state had no version: it was taken for one of ${plan.from}.`] : [];
    const lua = await this.#openLua(
      plan.legs.flatMap(({ steps }) => steps),
      options.signal,
    );
    try {
      const run = this.#runOf(plan, schemas, tally, lua, options);
      const made = dryRun ? await this.#rehearse(run) : await this.#carryOut(run, warnings, options);
      return { ...result, ...told(tally), status: 'completed' as const, ...made, warnings };
    } finally {
      await lua?.close();
    }
  }

  #runOf(
    plan: MigrationPlan,
    schemas: readonly Schema[],
    tally: Tally,
    lua: LuaSteps | undefined,
    options: OperationOptions,
  ): MigrationRun {
    const rulesOf = (version: string) => schemas.find((schema) => schema.version === version)?.entries ?? [];
    const transformation = {
      steps: plan.legs.flatMap(({ steps }) => steps),
      before: plan.isAssumed && plan.legs.length > 0 ? rulesOf(plan.from) : [],
      after: rulesOf(plan.to),
      lua,
      maxValueBytes: this.#setup.maxValueBytes,
    };
    return {
      store: this.#setup.store,
      plan,
      tally,
      transformer: new Transformer(transformation, tally),
      report: reporter('migrate', options),
      isWatched: options.onProgress !== undefined,
      signal: options.signal,
    };
  }

  async #rehearse(run: MigrationRun) {
    const present = await run.store.snapshot();
    try {
      await transformAll(run, present);
    } finally {
      await present.close();
    }
    return { entriesMigrated: run.tally.migrated, backupId: undefined, rollbackId: undefined };
  }

  async #carryOut(run: MigrationRun, warnings: string[], options: OperationOptions) {
    const backupId = await this.#backUp(run.plan, warnings, options);
    const { changed, rollbackId } = await migrateAll(run);
    return { entriesMigrated: changed, backupId, rollbackId };
  }

  async #backUp(
    { from, to }: MigrationPlan,
    warnings: string[],
    options: OperationOptions,
  ): Promise<string | undefined> {
    if (!this.#setup.backUpFirst) return undefined;
    const backups = await this.#setup.backups();
    if (!backups) {
      warnings.push('No backup was made before it: the configuration has none.');
      return undefined;
    }
    const description = `before the migration from ${from} to ${to}`;
    const made = await backups.create({ ...options, incremental: true, description, tags: ['migration'] });
    return made.backup.id;
  }

  /** Undefined where no step is in Lua. */
  async #openLua(steps: MigrationPlan['legs'][number]['steps'], signal?: AbortSignal): Promise<LuaSteps | undefined> {
    const exported = new Map<string, Set<'up' | 'down'>>();
    for (const { operation } of steps) {
      if (operation.kind !== 'lua') continue;
      const names = exported.get(operation.file) ?? new Set();
      names.add(operation.direction);
      if (operation.hasDown) names.add('down');
      exported.set(operation.file, names);
    }
    if (exported.size === 0) return undefined;
    const files = await Promise.all([...exported].map(([name, names]) => this.#luaFile(name, [...names])));
    return await this.#setup.openLua(files, signal);
  }

  async #luaFile(name: string, names: LuaFile['exports']): Promise<LuaFile> {
    const path = join(this.#setup.directory, name);
    try {
      return { name, source: await readFile(path), exports: names };
    } catch (error) {
      const why = errnoOf(error) === 'ENOENT' ? 'there is no such file' : `it cannot be read (${errnoOf(error)})`;
      throw new LlmspellError('SCHEMA_INVALID', `A step is in ${path}, but ${why}.`, { subject: path, cause: error });
    }
  }
}

const NOTHING = { backupId: undefined, rollbackId: undefined, warnings: [] as string[] };

const told = (tally: Tally) => ({
  entriesChecked: tally.checked,
  entriesMigrated: tally.migrated,
  byStep: tally.steps,
  byScope: tally.scopes.byScope,
  inOtherScopes: tally.scopes.others,
  differences: tally.differences,
  failures: tally.failures,
  failureCount: tally.failureCount,
});

function assertPossible({ kind, changes, to }: MigrationPlan): void {
  if (kind !== 'impossible') return;
  const whats = changes.filter((change) => change.kind === 'impossible').map(({ what }) => what);
  throw new LlmspellError('MIGRATION_IMPOSSIBLE', `The state cannot be migrated to ${to}: ${whats.join('; ')}.`, {
    subject: to,
    hint: 'Add the step that is missing to the schema.',
  });
}

function statusOf(version: string | undefined, schemas: readonly Schema[], problem?: string): MigrationStatus {
  const latest = schemas.at(-1)?.version;
  const current = version ?? schemas[0]?.version;
  const isKnown = schemas.some((schema) => schema.version === current);
  const targets = isKnown && current !== undefined ? reachable(schemas, current) : [];
  return {
    currentVersion: current,
    latestVersion: latest,
    isAssumed: version === undefined && current !== undefined,
    isLatest: version !== undefined && version === latest,
    migrationAvailable: targets.length > 0 || (version === undefined && current !== undefined),
    totalSchemas: schemas.length,
    targets,
    error: problem ?? (isKnown ? undefined : unknownVersion(version)),
  };
}

const unknownVersion = (version: string | undefined): string =>
  version === undefined ? NONE : `${NONE}: the state is of version ${version}, and there is no schema of it.`;
