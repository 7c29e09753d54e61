import type { MigrationResult, MigrationStatus, SchemaCheck } from '../migration/migrator.js';
import { printPath } from '../migration/path.js';
import { describeOperation } from '../migration/steps.js';
import type { EntryFailure, MigrationPlan, Schema } from '../migration/types.js';
import { printable } from '../util/bytes.js';

/** What programs get of migrations with `--json`. */

export const statusDocument = (status: MigrationStatus) => ({
  current_version: status.currentVersion ?? null,
  latest_version: status.latestVersion ?? null,
  is_latest: status.isLatest,
  is_assumed: status.isAssumed,
  migration_available: status.migrationAvailable,
  total_schemas: status.totalSchemas,
  migration_targets: status.targets,
  error_message: status.error ?? null,
});

export const schemaDocument = ({ version, description, from, entries, steps }: Schema) => ({
  version,
  description,
  from_version: from ?? null,
  entries: entries.map(({ target, fields }) => ({
    scope: target.scope,
    key: target.key,
    fields: fields.map(({ path, type, required }) => ({ path: printPath(path), type, required })),
  })),
  steps: steps.map(({ target: { scope, key }, operation }) => ({ scope, key, what: describeOperation(operation) })),
});

const planDocument = ({ from, to, kind, legs, changes }: MigrationPlan) => ({
  from_version: from,
  to_version: to,
  kind,
  path: [from, ...legs.map((leg) => leg.to)],
  changes,
});

export const failureDocument = ({ scope, key, field, reason }: EntryFailure) => ({
  scope: printable(scope),
  key: printable(key),
  field,
  reason,
});

export const migrationDocument = (result: MigrationResult) => ({
  success: result.failureCount === 0,
  status: result.status,
  dry_run: result.dryRun,
  from_version: result.fromVersion,
  to_version: result.toVersion,
  plan: planDocument(result.plan),
  entry_count: result.entriesChecked,
  items_migrated: result.entriesMigrated,
  by_step: result.byStep,
  by_scope: result.byScope,
  in_other_scopes: result.inOtherScopes,
  differences: result.differences,
  failures: result.failures.map(failureDocument),
  failure_count: result.failureCount,
  backup_id: result.backupId ?? null,
  rollback_id: result.rollbackId ?? null,
  duration_ms: result.durationMs,
  warnings: result.warnings,
});

export const schemaCheckDocument = (check: SchemaCheck) => ({
  is_valid: check.isValid,
  versions: check.versions,
  problems: check.problems,
  checked_version: check.version ?? null,
  entry_count: check.entriesChecked,
  failures: check.failures.map(failureDocument),
  failure_count: check.failureCount,
});
