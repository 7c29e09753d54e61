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

/** A plan is data: `--dry-run` prints it. */
export interface RecoveryPlan {
  /** Base first. */
  chain: { id: string; isIncremental: boolean; createdAtMs: number; sizeBytes: number; recordCount: number }[];
  /** Changes to replay from the live history after the chain, above this sequence number and up to `toSeq`. */
  replay?: { fromSeq: number; toSeq: number };
  /** Where it ends. */
  target: { seq: number; timeMs: number };
}

export interface RestoreResult {
  backupId: string | undefined;
  dryRun: boolean;
  plan: RecoveryPlan;
  entriesRestored: number;
  entriesDeleted: number;
  rollbackId: string | undefined;
  /** Backup ids, base first. */
  chain: string[];
  restoredToMs: number;
  durationMs: number;
  warnings: string[];
}
