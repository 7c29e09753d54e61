import { LlmspellError } from '../errors.js';
import type { StateStore } from '../state/types.js';
import { type Clock, systemClock } from '../util/clock.js';
import { mapInOrder } from '../util/in-order.js';
import { lostIn, scopesOf } from './archive-chunks.js';
import { openArchive } from './archive-reader.js';
import { type Rescued, rescueArchive } from './archive-rescue.js';
import { type Archives, removeArchive } from './archives.js';
import { Catalog } from './catalog.js';
import { type Chain, chainOf, childrenOf, recordsById, sizeOf, soundChainOf } from './chain.js';
import { ChainState, type Until } from './chain-state.js';
import { cleanUp } from './cleanup.js';
import { compact } from './compact.js';
import { type ComparableState, comparable, diffStates } from './compare.js';
import { createBackup } from './create.js';
import { exportBackup } from './export.js';
import { findRecord } from './find.js';
import { importFile } from './import.js';
import { abortable, reporter } from './operation.js';
import { rekey } from './rekey.js';
import type {
  ArchiveOptions,
  ArchiveReader,
  BackupOptions,
  BackupRecord,
  BackupRepository,
  CleanupResult,
  CompactResult,
  CreateOptions,
  CreateResult,
  EncryptionKey,
  ExportOptions,
  ExportResult,
  ImportOptions,
  ImportResult,
  ListFilter,
  LostRange,
  OperationOptions,
  ReadOptions,
  RekeyOptions,
  RekeyResult,
  ScopeUsage,
  StateDiff,
  StorageUsage,
  ValidationResult,
} from './types.js';
import { Validator } from './validate.js';

const VALIDATED_AT_ONCE = 2;

export interface BackupManagerSetup {
  repository: BackupRepository;
  options: BackupOptions;
  /** Absent where only the archives are worked on; `create` needs it. */
  store?: StateStore;
  clock?: Clock;
}

/** Backups of one state in one repository. Everything that changes the repository takes its turn, also among processes. */
export class BackupManager {
  readonly repository: BackupRepository;
  readonly #options: BackupOptions;
  readonly #store: StateStore | undefined;
  readonly #clock: Clock;
  readonly #catalog: Catalog;
  /** For the operations that have a file of their own. */
  readonly #archives: Archives;

  constructor({ repository, options, store, clock = systemClock }: BackupManagerSetup) {
    this.repository = repository;
    this.#options = options;
    this.#store = store;
    this.#clock = clock;
    this.#catalog = new Catalog(repository, () => this.#key());
    this.#archives = {
      repository,
      options,
      clock,
      catalog: this.#catalog,
      key: () => this.#key(),
      isSound: (id) => this.#isSound(id),
      openState: (chain, given) => this.openState(chain, undefined, given),
    };
  }

  /**
   * Makes a backup of the state as it is now, while others go on writing; retention follows where a limit is set. An incremental one
   * that cannot be becomes a full one, with the reason in `warnings`.
   * Throws `BACKUP_FAILED`, `BACKUP_KEY`, `STATE_…`, `ABORTED`; nothing is left behind then.
   */
  async create(options: CreateOptions = {}): Promise<CreateResult> {
    const store = this.#store;
    if (!store) throw new LlmspellError('STATE_DISABLED', 'There is no state to back up.');
    return await abortable('The backup', options.signal, () =>
      this.repository.exclusive(() => createBackup(this.#archives, store, options), options.signal),
    );
  }

  /** Oldest first. */
  async list(filter: ListFilter = {}): Promise<BackupRecord[]> {
    const { tag, sinceMs, limit } = filter;
    const records = (await this.#catalog.records()).filter(
      (record) =>
        (tag === undefined || record.tags.includes(tag)) && (sinceMs === undefined || record.createdAtMs >= sinceMs),
    );
    return limit === undefined ? records : records.slice(Math.max(0, records.length - limit));
  }

  /**
   * The backup that an id, the beginning of one, or `latest` means. Throws `BACKUP_ID_INVALID`, `BACKUP_NOT_FOUND`, `BACKUP_AMBIGUOUS`.
   */
  async find(reference: string): Promise<BackupRecord> {
    return findRecord(reference, await this.#catalog.records(), this.repository.location);
  }

  /**
   * Reads every byte of a backup and of all it rests on. Never throws for what it finds: an unknown id, damage and a broken chain are
   * `errors` of the result.
   */
  async validate(reference: string, options: OperationOptions = {}): Promise<ValidationResult> {
    const records = await this.#catalog.records();
    return (await this.#validateEach([reference], records, options))[0]!;
  }

  /** All of them, oldest first; each archive is read once, a few at a time. */
  async validateAll(options: OperationOptions = {}): Promise<ValidationResult[]> {
    const records = await this.#catalog.records();
    return await this.#validateEach(
      records.map(({ id }) => id),
      records,
      options,
    );
  }

  /** Throws `BACKUP_NEEDED` where others rest on it, `BACKUP_PINNED`, and as `find`. */
  async delete(reference: string, options: OperationOptions = {}): Promise<BackupRecord> {
    return await this.#inTurn('The deletion', options, async () => {
      const records = await this.#catalog.records();
      const record = findRecord(reference, records, this.repository.location);
      const child = childrenOf(record.id, records)[0];
      if (child) {
        const message = `Backup ${record.id} cannot be deleted: ${child.id} rests on it.`;
        throw new LlmspellError('BACKUP_NEEDED', message, { subject: record.id });
      }
      if (record.pinned) {
        const message = `Backup ${record.id} cannot be deleted: it is pinned.`;
        throw new LlmspellError('BACKUP_PINNED', message, { subject: record.id });
      }
      await removeArchive(this.#archives, record.id);
      return record;
    });
  }

  /** Removes what the retention policy no longer keeps, each with its reason; with `dryRun` it only says so. */
  async cleanup(options: { dryRun?: boolean; signal?: AbortSignal } = {}): Promise<CleanupResult> {
    const { dryRun = false, signal } = options;
    return await abortable('The cleanup', signal, async () =>
      dryRun
        ? await cleanUp(this.#archives, true, signal)
        : await this.repository.exclusive(() => cleanUp(this.#archives, false, signal), signal),
    );
  }

  /** Retention never removes a pinned backup, and `delete` refuses to. */
  async pin(reference: string): Promise<BackupRecord> {
    return await this.#setPinned(reference, true);
  }

  async unpin(reference: string): Promise<BackupRecord> {
    return await this.#setPinned(reference, false);
  }

  /**
   * Makes a full backup of one that rests on others, under the same id and of the same moment, from the archives alone; what rests on it
   * goes on to. Retention may then remove the ones before it. All or nothing. Throws as `find`, `BACKUP_DAMAGED`,
   * `BACKUP_CHAIN_BROKEN`, `BACKUP_KEY`, `ABORTED`.
   */
  async compact(reference: string, options: OperationOptions = {}): Promise<CompactResult> {
    return await this.#inTurn('Compacting', options, () => compact(this.#archives, reference, options));
  }

  /**
   * Encrypts a backup with another key, or with none, together with all that it shares a chain with; without a reference, every backup.
   * Each chain all or nothing. What could not be is in the results. Throws as `find`, and `ABORTED`.
   */
  async rekey(reference: string | undefined, options: RekeyOptions = {}): Promise<RekeyResult[]> {
    return await this.#inTurn('Rekeying', options, () => rekey(this.#archives, reference, options));
  }

  /**
   * Writes a backup as one file that needs no other: a full archive of the same moment, or, where the name ends in `.zip`, a zip with its
   * entries as JSON. Throws as `find`, `BACKUP_DAMAGED`, `BACKUP_CHAIN_BROKEN`, `BACKUP_KEY`, `OUTPUT_FAILED`, `ABORTED`.
   */
  async export(reference: string, path: string, options: ExportOptions = {}): Promise<ExportResult> {
    return await abortable('The export', options.signal, () => exportBackup(this.#archives, reference, path, options));
  }

  /**
   * Takes up a file that `export` wrote, of whatever state, machine or backend, after reading and checking all of it. An id that another archive has
   * is replaced by a new one. Throws `USAGE`, `BACKUP_DAMAGED`, `BACKUP_CHAIN_BROKEN`, `BACKUP_KEY`, `BACKUP_VERSION`, `ABORTED`.
   */
  async import(path: string, options: ImportOptions = {}): Promise<ImportResult> {
    return await this.#inTurn('The import', options, () => importFile(this.#archives, path, options));
  }

  /** What each scope takes in one archive, in byte order. All of it is read. Throws as `find` and `open`. */
  async scopes(reference: string, options: OperationOptions = {}): Promise<ScopeUsage[]> {
    return await abortable('Looking at the backup', options.signal, async () => {
      const { id, recordCount } = await this.find(reference);
      return await this.#reading(id, options, (reader) => scopesOf(reader, recordCount, options));
    });
  }

  /**
   * What is still readable of one archive, and what is wrong with it, in the order of the file. Throws `BACKUP_NOT_FOUND`, and
   * `BACKUP_KEY` where the configuration promises a key that is not there.
   */
  async *salvage(id: string, options: OperationOptions = {}): AsyncGenerator<Rescued> {
    const source = await this.repository.get(id);
    try {
      yield* rescueArchive(source, await this.#archiveOptions(options));
    } finally {
      await source.close();
    }
  }

  /** Which records of an archive are lost; undefined where so much of it is damaged that this cannot be told. */
  async lost(id: string, options: OperationOptions = {}): Promise<LostRange[] | undefined> {
    try {
      return await this.#reading(id, options, lostIn);
    } catch (error) {
      if (error instanceof LlmspellError && (error.code === 'BACKUP_DAMAGED' || error.code === 'BACKUP_KEY'))
        return undefined;
      throw error;
    }
  }

  /** The archives that a backup consists of, base first, as far as they are there, and what is wrong with that. Throws as `find`. */
  async remains(reference: string): Promise<Chain> {
    const records = await this.#catalog.records();
    return chainOf(findRecord(reference, records, this.repository.location), recordsById(records));
  }

  async usage(): Promise<StorageUsage> {
    const records = await this.#catalog.records();
    const incremental = records.filter((record) => record.isIncremental).length;
    return {
      totalBackups: records.length,
      totalBytes: sizeOf(records),
      fullBackups: records.length - incremental,
      incrementalBackups: incremental,
      oldest: records[0],
      newest: records.at(-1),
    };
  }

  /** The archives that a backup consists of, base first. Throws as `find`, and `BACKUP_DAMAGED` or `BACKUP_CHAIN_BROKEN`. */
  async chain(reference: string): Promise<BackupRecord[]> {
    const records = await this.#catalog.records();
    return soundChainOf(findRecord(reference, records, this.repository.location), recordsById(records));
  }

  /** Opens one archive; the caller closes it. Throws `BACKUP_NOT_FOUND`, `BACKUP_DAMAGED`, `BACKUP_KEY`. */
  async open(id: string, options: ReadOptions = {}): Promise<ArchiveReader> {
    const source = await this.repository.get(id);
    try {
      return await openArchive(source, await this.#archiveOptions(options));
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  /** The state that a backup completes, or completed at a moment within its last archive; the caller closes it. */
  async openState(chain: readonly { id: string }[], until?: Until, options: ReadOptions = {}): Promise<ChainState> {
    const readers: ArchiveReader[] = [];
    try {
      for (const { id } of chain) readers.push(await this.open(id, options));
    } catch (error) {
      await Promise.all(readers.map((reader) => reader.close()));
      throw error;
    }
    return await ChainState.open(readers, until);
  }

  /**
   * What changed from one backup to another, or to the present state (`current`). Every archive of both chains is read.
   * Throws as `chain` and `open`, and `STATE_DISABLED` where there is no present state.
   */
  async diff(from: string, to: string, options: OperationOptions = {}): Promise<StateDiff> {
    return await abortable('The comparison', options.signal, async () => {
      const left = await this.#side(from, options);
      const right = await this.#side(to, options).catch(async (error: unknown) => {
        await left.close();
        throw error;
      });
      try {
        return await diffStates(left, right);
      } finally {
        await Promise.all([left.close(), right.close()]);
      }
    });
  }

  async #reading<T>(id: string, options: OperationOptions, read: (reader: ArchiveReader) => Promise<T>): Promise<T> {
    const reader = await this.open(id, options);
    try {
      return await read(reader);
    } finally {
      await reader.close();
    }
  }

  async #inTurn<T>(what: string, { signal }: OperationOptions, work: () => Promise<T>): Promise<T> {
    return await abortable(what, signal, () => this.repository.exclusive(work, signal));
  }

  async #side(reference: string, options: OperationOptions): Promise<ComparableState> {
    if (reference !== 'current') return await this.openState(await this.chain(reference), undefined, options);
    if (!this.#store) throw new LlmspellError('STATE_DISABLED', 'There is no present state to compare with.');
    return comparable(await this.#store.snapshot());
  }

  /** An archive that was touched since it was last found sound is read again; without its key as far as that goes. */
  async #isSound(id: string): Promise<boolean> {
    if (this.#catalog.isVerified(id)) return true;
    const key = await this.#key().catch(() => undefined);
    return await this.#validator(key ? { key } : {}, {}, 0).isSound(id);
  }

  async #validateEach(
    references: readonly string[],
    records: readonly BackupRecord[],
    options: OperationOptions,
  ): Promise<ValidationResult[]> {
    return await abortable('The validation', options.signal, async () => {
      const totalBytes = sizeOf(readFor(references, records));
      const validator = this.#validator(await this.#archiveOptions(options), options, totalBytes);
      const results: ValidationResult[] = [];
      const validated = mapInOrder(references, VALIDATED_AT_ONCE, (reference) =>
        validator.validate(reference, records),
      );
      for await (const result of validated) results.push(result);
      await this.#catalog.save();
      return results;
    });
  }

  #validator(archive: ArchiveOptions, options: OperationOptions, totalBytes: number): Validator {
    return new Validator({
      repository: this.repository,
      archive,
      report: reporter('validate', options),
      totalBytes,
      clock: this.#clock,
      onSound: (id) => this.#catalog.markVerified(id),
    });
  }

  async #setPinned(reference: string, pinned: boolean): Promise<BackupRecord> {
    return await this.repository.exclusive(async () => {
      const { id } = await this.find(reference);
      await this.#catalog.setPinned(id, pinned);
      return await this.find(id);
    });
  }

  async #key(): Promise<EncryptionKey | undefined> {
    return await this.#options.encryptionKey?.();
  }

  async #archiveOptions({ signal, verify }: ReadOptions) {
    const key = await this.#key();
    return { ...(key && { key }), ...(signal && { signal }), ...(verify && { verify }) };
  }
}

/** The archives that validating these backups reads; each is read once. What a reference is wrong about, validating tells. */
function readFor(references: readonly string[], records: readonly BackupRecord[]): BackupRecord[] {
  const byId = recordsById(records);
  const chains = references.flatMap((reference) => {
    try {
      return chainOf(findRecord(reference, records, ''), byId).records;
    } catch {
      return [];
    }
  });
  return [...new Set(chains)];
}
