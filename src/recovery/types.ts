import type { OperationOptions } from '../backup/types.js';

/** What to go back to. A backup id (or unambiguous prefix, or `latest`), a rollback id, a moment, or a change. */
export type RecoveryTarget = { backupId: string } | { timeMs: number } | { seq: number };

export interface RestoreOptions extends OperationOptions {
  /** Plan and verify only. */
  dryRun?: boolean;
  /** Only these scopes; every other one stays as it is. Empty is not allowed. */
  scopes?: readonly Uint8Array[];
  /** Keep entries that the backup does not have. */
  preserveUntracked?: boolean;
  /** Keep the present state as a rollback point. Default true. */
  backupCurrent?: boolean;
  /** Read every byte of the chain first. Default true. */
  verify?: boolean;
}

/** A plan is data: `--dry-run` prints it. Either the archives of a chain, or the history of the state itself. */
export interface RecoveryPlan {
  /** Base first; empty where the history is enough. */
  chain: { id: string; isIncremental: boolean; createdAtMs: number; sizeBytes: number; recordCount: number }[];
  /** Where no archive reaches: the moment is taken from the history of the state itself, which reaches back to `fromSeq`. */
  history?: { fromSeq: number; toSeq: number };
  /** Where it ends. Which change was the last one before a time, and the time of a change, may be known only once it has been read. */
  target: { storeId: string; seq?: number; timeMs?: number };
}

/** Which moments can be had at all, and which not. */
export interface Reach {
  /** The first and the last moment that can be had; absent where none can. */
  fromMs?: number;
  toMs?: number;
  /** Between them, what cannot be had and why; ascending. */
  gaps: { fromMs: number; toMs: number; reason: string }[];
  /** Backups that cannot be used, and why. */
  unusable: { id: string; reason: string }[];
}

export interface RestoreResult {
  backupId: string | undefined;
  dryRun: boolean;
  plan: RecoveryPlan;
  /** Of a dry run. */
  reach?: Reach;
  entriesRestored: number;
  entriesDeleted: number;
  rollbackId: string | undefined;
  /** Backup ids, base first. */
  chain: string[];
  /** The moment whose state this is: the one asked for, or that of the backup. */
  restoredToMs: number;
  /** The version of the schema that the source is of, and now the state where all of it was restored. */
  schemaVersion: string | undefined;
  durationMs: number;
  warnings: string[];
}

/** A restore into a scratch state, compared entry by entry with the archives: proof that a backup restores. */
export interface DrillResult {
  backupId: string;
  success: boolean;
  entriesCompared: number;
  /** Entries that came out missing, added or different. */
  entriesDifferent: number;
  chain: string[];
  durationMs: number;
  errors: string[];
}
