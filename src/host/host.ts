import type { BackupManager } from '../backup/manager.js';
import type { OperationOptions } from '../backup/types.js';
import type { ScriptFailure } from '../channel/start.js';
import type { Config } from '../config/schema.js';
import { LlmspellError, toLlmspellError } from '../errors.js';
import type { Migrator } from '../migration/migrator.js';
import type { RecoveryOrchestrator } from '../recovery/orchestrator.js';
import type { RescueOptions, RescueResult } from '../recovery/rescue.js';
import type { DrillResult, RecoveryTarget, RestoreOptions, RestoreResult } from '../recovery/types.js';
import type { StateStore } from '../state/types.js';
import { throwIfAborted } from '../util/abort.js';
import { asBuffer, type Bytes } from '../util/bytes.js';
import { Lazy } from '../util/lazy.js';
import { backupCalls } from './calls.js';
import { machineSettings, type Overrides } from './machine-settings.js';
import { migrationCalls } from './migration-calls.js';
import type { ScriptHost, ScriptResult, ScriptRun } from './script-host.js';
import { StateAccess } from './state-access.js';
import type { NamedCall } from './state-service.js';

/** What the parts of a host reach of each other; each is opened when it is first asked for. */
export interface HostParts {
  /** Whether the configuration has backups; where not, `backups` and `recovery` throw `BACKUP_DISABLED`. */
  readonly hasBackups: boolean;
  store(): Promise<StateStore>;
  backups(): Promise<BackupManager>;
  recovery(): Promise<RecoveryOrchestrator>;
}

export interface HostOptions {
  /** From `loadConfig`. */
  config: Config;
  /** Where `encryption_key_env` is looked up, and what scripts see of the environment. Default: the process's. */
  env?: NodeJS.ProcessEnv;
  /** State is opened for reading only: whoever writes gets `STATE_READONLY`. Default false. */
  readOnly?: boolean;
  /** How long to wait for another process that holds the state, before `STATE_LOCKED`. Default 0. */
  lockTimeoutSeconds?: number;
  /** Ends that waiting; what needs the state is then `ABORTED`. What is under way has signals of its own. */
  signal?: AbortSignal;
  /** Keeps one started machine ready for the next script. Costs memory and a thread. Default false. */
  warm?: boolean;
}

/** A script to run, and what is different for this one. */
export type RunOptions = Omit<ScriptRun, 'machine'> & { overrides?: Overrides };

/**
 * One configuration brought to life: its state, its backups, and the scripts that run on them. Nothing is opened before it is needed;
 * `close` (or `await using`) writes what is pending and frees everything.
 */
export class Host implements HostParts {
  readonly config: Config;
  readonly hasBackups: boolean;
  /** State with JavaScript values. */
  readonly state: StateAccess;
  readonly #env: NodeJS.ProcessEnv;
  /** What `State` has beyond the basic functions. */
  readonly #calls: Record<string, NamedCall>;
  readonly #store: Lazy<StateStore>;
  readonly #backups: Lazy<BackupManager>;
  readonly #archives: Lazy<BackupManager>;
  readonly #recovery: Lazy<RecoveryOrchestrator>;
  readonly #migration: Lazy<Migrator>;
  readonly #scripts: Lazy<ScriptHost>;
  #openFailure: LlmspellError | undefined;
  #closed = false;

  constructor(options: HostOptions) {
    const { config, env = process.env, warm = false } = options;
    this.config = config;
    const { enabled, backup, backup_enabled: backupEnabled } = config.runtime.state_persistence;
    this.hasBackups = enabled && backupEnabled && backup !== undefined;
    const { migration_enabled: migrationEnabled } = config.runtime.state_persistence;
    this.#calls = {
      ...(this.hasBackups ? backupCalls(this) : {}),
      ...(enabled && migrationEnabled ? migrationCalls(() => this.migration()) : {}),
    };
    this.state = new StateAccess(() => this.store());
    this.#env = env;
    this.#store = new Lazy(() => this.#openStore(options));
    this.#backups = new Lazy(async () => this.#openBackups(await this.store()));
    this.#archives = new Lazy(() => this.#openBackups());
    this.#recovery = new Lazy(() => this.#openRecovery());
    this.#migration = new Lazy(() => this.#openMigration());
    this.#scripts = new Lazy(() => this.#openScripts(warm));
  }

  /** The engine under `State`. Throws `STATE_DISABLED`, `STATE_LOCKED`, `STATE_UNAVAILABLE`, `STATE_DAMAGED`. */
  async store(): Promise<StateStore> {
    this.#assertOpen();
    return await this.#store.get();
  }

  /** The backups of the state. Throws `BACKUP_DISABLED`, and as `store`. */
  async backups(): Promise<BackupManager> {
    this.#assertOpen();
    return await this.#backups.get();
  }

  /** The same archives without the state: what only reads or removes archives works while another process holds the state. */
  async archives(): Promise<BackupManager> {
    this.#assertOpen();
    return await this.#archives.get();
  }

  /** Restores, to a backup or to a moment. Throws as `backups`. */
  async recovery(): Promise<RecoveryOrchestrator> {
    this.#assertOpen();
    return await this.#recovery.get();
  }

  /** Migrations of the state between versions of its schema. Throws `MIGRATION_DISABLED`, and as `store`. */
  async migration(): Promise<Migrator> {
    this.#assertOpen();
    return await this.#migration.get();
  }

  /**
   * Restores a backup (an id, the beginning of one, or `latest`) for real into a scratch state that is thrown away, and compares every entry. What
   * is wrong with it is in the result. The state is not needed. Throws `BACKUP_DISABLED`, as `BackupManager.find`, and `ABORTED`.
   */
  async drill(reference = 'latest', options: OperationOptions = {}): Promise<DrillResult> {
    const { drill } = await import('../recovery/drill.js');
    return await drill(await this.archives(), reference, options);
  }

  /**
   * Restores a backup or a moment into a new state, in a directory that is not there or is empty, from the archives alone. The state is not
   * needed and not touched. Throws `BACKUP_DISABLED`, `USAGE`, `OUTPUT_FAILED`, and as `RecoveryOrchestrator.restore`; nothing is left then.
   */
  async restoreInto(target: RecoveryTarget, directory: string, options: RestoreOptions = {}): Promise<RestoreResult> {
    const { restoreInto } = await import('../recovery/new-state.js');
    return await restoreInto(await this.archives(), target, directory, options);
  }

  /** Makes a new state, in a directory as `restoreInto` takes it, of what can still be read of a damaged backup. Throws as `restoreInto`. */
  async rescueInto(
    reference: string,
    directory: string,
    options: Omit<RescueOptions, 'into'> = {},
  ): Promise<RescueResult> {
    const [{ buildState }, { rescue }] = await Promise.all([
      import('../recovery/new-state.js'),
      import('../recovery/rescue.js'),
    ]);
    const archives = await this.archives();
    return await buildState(directory, (into) => rescue(archives, reference, { ...options, into }));
  }

  /**
   * Runs a script to its end, in a thread of its own. Whatever the script does is told in the result; rejects only where it could not be
   * started: `SCRIPT_NOT_FOUND`, `ABORTED`, `STATE_CLOSED`.
   */
  async run({ overrides, ...run }: RunOptions): Promise<ScriptResult> {
    this.#assertOpen();
    const scripts = await this.#scripts.get();
    const result = await scripts.run({ ...run, ...(overrides && { machine: this.#machine(overrides) }) });
    return result.error ? { ...result, ...this.#causeOf(result.error, result.exitCode) } : result;
  }

  /** Ends the scripts that run, writes what is pending and frees everything. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await (await this.#scripts.opened())?.close();
    await this.renew();
  }

  /** Closes the state and its backups; what is used of them next is opened anew. Of a state in memory nothing stays. */
  async renew(): Promise<void> {
    await this.#migration.taken();
    await this.#recovery.taken();
    for (const manager of [this.#backups, this.#archives]) await (await manager.taken())?.repository.close();
    await (await this.#store.taken())?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #openStore({ readOnly = false, lockTimeoutSeconds = 0, signal }: HostOptions): Promise<StateStore> {
    throwIfAborted(signal);
    const { openState } = await import('./open-state.js');
    const isWanted = () => !this.#closed && signal?.aborted !== true;
    try {
      return await openState(this.config, { readOnly, lockTimeoutSeconds, isWanted });
    } catch (error) {
      throwIfAborted(signal);
      throw error;
    }
  }

  async #openBackups(store?: StateStore): Promise<BackupManager> {
    const { openBackups } = await import('./open-backups.js');
    return await openBackups(this.config, this.#env, store);
  }

  async #openRecovery(): Promise<RecoveryOrchestrator> {
    const [{ RecoveryOrchestrator }, { schemaGuard }] = await Promise.all([
      import('../recovery/orchestrator.js'),
      import('./schema-guard.js'),
    ]);
    const { migration_enabled: isMigrating, schema_dir: schemas } = this.config.runtime.state_persistence;
    return new RecoveryOrchestrator({
      store: await this.store(),
      backups: await this.backups(),
      ...(isMigrating && { assertSchema: await schemaGuard(schemas) }),
    });
  }

  async #openMigration(): Promise<Migrator> {
    const { openMigration } = await import('./open-migration.js');
    return openMigration(this.config, {
      store: await this.store(),
      machine: this.#machine({}),
      backups: async () => (this.hasBackups ? await this.backups() : undefined),
    });
  }

  /** To Lua a state that cannot be opened is an error like any other; whoever ran the script is told what it was. */
  #causeOf(error: ScriptFailure, exitCode: number): Pick<ScriptResult, 'error' | 'exitCode'> {
    const cause = this.#openFailure;
    if (error.code !== 'SCRIPT_ERROR' || !cause || !error.message.includes(cause.message)) return { error, exitCode };
    return { error: { ...error, code: cause.code, hint: cause.hint }, exitCode: cause.exitCode };
  }

  /** For scripts. */
  async #storeForScripts(): Promise<StateStore> {
    try {
      return await this.store();
    } catch (error) {
      this.#openFailure = toLlmspellError(error);
      throw error;
    }
  }

  async #openScripts(warm: boolean): Promise<ScriptHost> {
    const [{ ScriptHost }, { StateService }] = await Promise.all([
      import('./script-host.js'),
      import('./state-service.js'),
    ]);
    const { script_timeout_seconds: timeoutSeconds, max_concurrent_scripts: maxConcurrentScripts } =
      this.config.runtime;
    return new ScriptHost({
      machine: this.#machine({}),
      timeoutSeconds,
      maxConcurrentScripts,
      warm,
      expect: (source) => this.#expect(source),
      service: new StateService({
        store: () => this.#storeForScripts(),
        calls: this.#calls,
        openView: async (when) => (await import('./past.js')).openPast(this, when),
      }),
    });
  }

  /** Loading LevelDB takes as long as a short script: what names the state will soon ask for it. */
  #expect(source: Bytes): void {
    if (this.config.runtime.state_persistence.enabled && asBuffer(source).includes('State'))
      void import('./open-state.js').then(({ loadState }) => loadState(this.config)).catch(() => undefined);
  }

  #machine(overrides: Overrides) {
    return machineSettings(this.config, this.#env, Object.keys(this.#calls), overrides);
  }

  #assertOpen(): void {
    if (this.#closed) throw new LlmspellError('STATE_CLOSED', 'The host is closed.');
  }
}
