import { creationOf } from '../backup/chain.js';
import type {
  BackupRecord,
  CleanupResult,
  CompactResult,
  EntryName,
  ExportResult,
  ImportResult,
  LostRange,
  RekeyResult,
  ScopeUsage,
  ValidationResult,
} from '../backup/types.js';
import { toPlainError } from '../errors.js';
import type { StateRescue } from '../host/state-care.js';
import type { RescueResult } from '../recovery/rescue.js';
import type { DrillResult, Reach, RecoveryPlan, RestoreResult } from '../recovery/types.js';
import type { StateCheck } from '../state/check.js';
import { printable } from '../util/bytes.js';
import type { Counts, FileResult } from './test-report/results.js';

/** What programs get of backups with `--json`: the names are those that scripts know them by. Times are Unix milliseconds and seconds. */

/** What a backup does not tell, because it is damaged, or encrypted and its key not there (`sealed`), is null. */
export function backupDocument(backup: BackupRecord) {
  const createdAtMs = creationOf(backup);
  const hasHeader = createdAtMs !== undefined;
  const told = <T>(value: T): T | null => (backup.sealed ? null : value);
  return {
    id: backup.id,
    created_at: hasHeader ? Math.floor(createdAtMs / 1000) : null,
    created_at_ms: createdAtMs ?? null,
    is_incremental: hasHeader ? backup.isIncremental : null,
    parent_id: backup.parentId ?? null,
    size_bytes: backup.sizeBytes,
    uncompressed_bytes: told(backup.uncompressedBytes),
    entry_count: told(backup.entryCount),
    record_count: told(backup.recordCount),
    compression: hasHeader ? backup.compression.type : null,
    encrypted: hasHeader ? backup.encrypted : null,
    sealed: backup.sealed,
    description: backup.description,
    tags: backup.tags,
    schema_version: backup.schemaVersion ?? null,
    pinned: backup.pinned,
    sha256: backup.sha256 || null,
    damage: backup.damage ?? null,
  };
}

export const infoDocument = (backup: BackupRecord, scopes: readonly ScopeUsage[] | undefined) => ({
  ...backupDocument(backup),
  scopes:
    scopes?.map(({ scope, records, rawBytes, storedBytes }) => ({
      scope: printable(scope),
      records,
      uncompressed_bytes: rawBytes,
      stored_bytes: Math.round(storedBytes),
    })) ?? null,
});

export const validationDocument = (result: ValidationResult) => ({
  backup_id: result.backupId,
  is_valid: result.isValid,
  checksum_valid: result.checksumValid,
  integrity_valid: result.integrityValid,
  chain_valid: result.chainValid,
  errors: result.errors,
  warnings: result.warnings,
  validated_at: Math.floor(result.validatedAtMs / 1000),
  duration_ms: result.durationMs,
});

export const cleanupDocument = (result: CleanupResult) => ({
  dry_run: result.dryRun,
  deleted_count: result.deletedCount,
  retained_count: result.retainedCount,
  space_freed: result.spaceFreedBytes,
  decisions: result.decisions,
});

export const compactDocument = (result: CompactResult) => ({
  ...backupDocument(result.backup),
  chain: result.chain,
  rewritten: result.rewritten,
  duration_ms: result.durationMs,
  warnings: result.warnings,
});

export const rekeyDocument = (results: readonly RekeyResult[]) => ({
  results: results.map(({ backupId, status, error }) => ({
    backup_id: backupId,
    status,
    error: error ? toPlainError(error) : null,
  })),
});

export const exportDocument = (result: ExportResult) => ({
  backup_id: result.backup.id,
  file: result.file,
  format: result.format,
  size_bytes: result.sizeBytes,
  entry_count: result.entryCount,
  chain: result.chain,
  duration_ms: result.durationMs,
  warnings: result.warnings,
});

export const importDocument = (result: ImportResult) => ({
  ...backupDocument(result.backup),
  is_new: result.isNew,
  duration_ms: result.durationMs,
  warnings: result.warnings,
});

const lostDocument = ({ records, from, to }: LostRange) => ({
  records,
  from: from ? nameDocument(from) : null,
  to: to ? nameDocument(to) : null,
});

export const rescueDocument = (
  result: RescueResult,
  entries: readonly (EntryName & { sizeBytes: number })[],
  into: string | undefined,
) => ({
  backup_id: result.backupId,
  is_complete: result.isComplete,
  entry_count: result.entryCount,
  into: into ?? null,
  archives: result.archives.map((archive) => ({
    id: archive.id,
    is_incremental: archive.isIncremental,
    record_count: archive.recordCount ?? null,
    rescued_count: archive.rescuedCount,
    lost: archive.lost?.map(lostDocument) ?? null,
    problems: archive.problems,
  })),
  entries: entries.map((entry) => ({ ...nameDocument(entry), size_bytes: entry.sizeBytes })),
  warnings: result.warnings,
  duration_ms: result.durationMs,
});

const planDocument = ({ chain, history, target }: RecoveryPlan) => ({
  chain: chain.map(({ id, isIncremental, createdAtMs, sizeBytes, recordCount }) => ({
    id,
    is_incremental: isIncremental,
    created_at_ms: createdAtMs,
    size_bytes: sizeBytes,
    record_count: recordCount,
  })),
  history: history ? { from_seq: history.fromSeq, to_seq: history.toSeq } : null,
  target: { store_id: target.storeId, seq: target.seq ?? null, time_ms: target.timeMs ?? null },
});

const reachDocument = ({ fromMs, toMs, gaps, unusable }: Reach) => ({
  from_ms: fromMs ?? null,
  to_ms: toMs ?? null,
  gaps: gaps.map((gap) => ({ from_ms: gap.fromMs, to_ms: gap.toMs, reason: gap.reason })),
  unusable,
});

export const restoreDocument = (result: RestoreResult) => ({
  backup_id: result.backupId ?? null,
  dry_run: result.dryRun,
  plan: planDocument(result.plan),
  reach: result.reach ? reachDocument(result.reach) : null,
  entries_restored: result.entriesRestored,
  entries_deleted: result.entriesDeleted,
  rollback_id: result.rollbackId ?? null,
  chain: result.chain,
  restored_to: result.restoredToMs / 1000,
  schema_version: result.schemaVersion ?? null,
  duration_ms: result.durationMs,
  warnings: result.warnings,
});

export const drillDocument = (result: DrillResult) => ({
  backup_id: result.backupId,
  success: result.success,
  entries_compared: result.entriesCompared,
  entries_different: result.entriesDifferent,
  chain: result.chain,
  errors: result.errors,
  duration_ms: result.durationMs,
});

export const nameDocument = ({ scope, key }: EntryName) => ({ scope: printable(scope), key: printable(key) });

export const testDocument = (files: readonly FileResult[], counts: Counts, durationMs: number) => ({
  success: counts.failed === 0,
  ...counts,
  duration_ms: Math.round(durationMs),
  files: files.map(({ file, tests, durationMs: fileMs }) => ({
    file,
    duration_ms: Math.round(fileMs),
    tests: tests.map(({ path, place, outcome, durationMs: testMs, output }) => ({
      path,
      place,
      status: outcome.status,
      duration_ms: Math.round(testMs),
      output,
      reason: outcome.status === 'pending' ? outcome.reason : '',
      message: outcome.status === 'failed' ? outcome.message : '',
      failed_at: outcome.status === 'failed' ? outcome.place : '',
      details: outcome.status === 'failed' ? outcome.details : '',
      traceback: outcome.status === 'failed' ? outcome.traceback : '',
    })),
  })),
});

export const checkDocument = (result: StateCheck) => ({
  is_sound: result.isSound,
  entries: result.entries,
  segments: result.segments,
  problem_count: result.problemCount,
  problems: result.problems,
});

export const repairDocument = (result: StateRescue) => ({
  rescued: result.rescued,
  lost: result.lost,
  problems: result.problems,
  path: result.path,
  damaged_path: result.damagedPath,
});
