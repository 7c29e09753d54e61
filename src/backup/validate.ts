import { LlmspellError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import { type ArchiveVerification, verifyArchive } from './archive-verify.js';
import { chainOf, recordsById } from './chain.js';
import { findRecord } from './find.js';
import type { Report } from './operation.js';
import type { ArchiveOptions, BackupRecord, BackupRepository, ValidationResult } from './types.js';

export interface ValidatorSetup {
  repository: BackupRepository;
  archive: ArchiveOptions;
  report: Report;
  /** Of all that will be read. */
  totalBytes: number;
  clock: Clock;
  /** Told of every archive that was read wholly and found sound. */
  onSound: (id: string) => void;
}

/** Reads archives to the last byte and judges chains. One validator reads each archive once, however many chains hold it. */
export class Validator {
  readonly #setup: ValidatorSetup;
  readonly #verdicts = new Map<string, Promise<ArchiveVerification>>();
  #readBytes = 0;

  constructor(setup: ValidatorSetup) {
    this.#setup = setup;
  }

  /** Of an encrypted archive without its key, as far as can be told without. */
  async isSound(id: string): Promise<boolean> {
    const { problems } = await this.#verdict(id);
    return problems.every(({ kind }) => kind === 'key');
  }

  /** Never throws for what is wrong with a backup or with the reference to it: that is what the result tells. */
  async validate(reference: string, records: readonly BackupRecord[]): Promise<ValidationResult> {
    const { clock, repository } = this.#setup;
    const validatedAtMs = clock.nowMs();
    const findings = { checksumValid: false, integrityValid: false, chainValid: false };
    const result = { backupId: reference, ...findings, errors: [] as string[], warnings: [] as string[] };
    try {
      const head = findRecord(reference, records, repository.location);
      Object.assign(result, { backupId: head.id }, await this.#judge(head, records));
    } catch (error) {
      if (!(error instanceof LlmspellError) || error.code === 'ABORTED') throw error;
      result.errors.push(error.message);
    }
    const isValid = result.checksumValid && result.integrityValid && result.chainValid;
    return { ...result, isValid, validatedAtMs, durationMs: clock.nowMs() - validatedAtMs };
  }

  async #judge(head: BackupRecord, records: readonly BackupRecord[]) {
    const { records: chain, problems } = chainOf(head, recordsById(records));
    const errors: string[] = [];
    for (const record of chain) errors.push(...(await this.#faultsOf(record)));
    // What is wrong with an archive itself has been told; here are the links between them.
    const links = problems.filter(({ message }) => chain.every(({ damage }) => damage !== message));
    errors.push(...links.map(({ message }) => message));
    const sound = await Promise.all(
      chain.map(async (record) => record.damage === undefined && this.isSound(record.id)),
    );
    const { checksumValid, integrityValid } = await this.#verdict(head.id);
    return {
      checksumValid,
      integrityValid: integrityValid && head.damage === undefined,
      chainValid: links.length === 0 && sound.slice(0, -1).every(Boolean),
      errors,
    };
  }

  async #faultsOf(record: BackupRecord): Promise<string[]> {
    const { problems, problemCount } = await this.#verdict(record.id);
    const faults = problems.map(({ message }) => `Backup ${record.id}: ${message}`);
    if (problemCount > problems.length) faults.push(`Backup ${record.id}: ${problemCount - problems.length} more.`);
    return faults.length === 0 && record.damage !== undefined ? [`Backup ${record.id}: ${record.damage}`] : faults;
  }

  #verdict(id: string): Promise<ArchiveVerification> {
    const known = this.#verdicts.get(id) ?? this.#verify(id);
    this.#verdicts.set(id, known);
    return known;
  }

  async #verify(id: string): Promise<ArchiveVerification> {
    const source = await this.#setup.repository.get(id);
    try {
      const verdict = await verifyArchive(source, { ...this.#setup.archive, onProgress: this.#reader(id) });
      if (verdict.problemCount === 0) this.#setup.onSound(id);
      return verdict;
    } finally {
      await source.close();
    }
  }

  /** Several archives are read at once: what counts is how far all of them are. */
  #reader(backupId: string): (bytes: number) => void {
    let before = 0;
    return (bytes) => {
      this.#readBytes += bytes - before;
      before = bytes;
      const { report, totalBytes: total } = this.#setup;
      report({ phase: 'validate', backupId, done: this.#readBytes, total, message: `Reading ${backupId}` });
    };
  }
}
