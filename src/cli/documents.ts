import type {
  BackupRecord,
  CleanupResult,
  CompactResult,
  EntryName,
  ExportResult,
  ImportResult,
  RekeyResult,
  ValidationResult,
} from '../backup/types.js';
import { toPlainError } from '../errors.js';
import type { DrillResult, RestoreResult } from '../recovery/types.js';
import { printable } from '../util/bytes.js';

/** What programs get of backups with `--json`: the names are those that scripts know them by. Times are Unix milliseconds and seconds. */

export const backupDocument = (backup: BackupRecord) => ({
  id: backup.id,
  created_at: Math.floor(backup.createdAtMs / 1000),
  created_at_ms: backup.createdAtMs,
  is_incremental: backup.isIncremental,
  parent_id: backup.parentId ?? null,
  size_bytes: backup.sizeBytes,
  uncompressed_bytes: backup.uncompressedBytes,
  entry_count: backup.entryCount,
  record_count: backup.recordCount,
  compression: backup.compression.type,
  encrypted: backup.encrypted,
  description: backup.description,
  tags: backup.tags,
  pinned: backup.pinned,
  sha256: backup.sha256,
  damage: backup.damage ?? null,
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

export const restoreDocument = (result: RestoreResult) => ({
  backup_id: result.backupId ?? null,
  dry_run: result.dryRun,
  entries_restored: result.entriesRestored,
  entries_deleted: result.entriesDeleted,
  rollback_id: result.rollbackId ?? null,
  chain: result.chain,
  restored_to: result.restoredToMs / 1000,
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
