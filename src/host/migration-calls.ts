import { failureText, MigrationFailure } from '../migration/failure.js';
import type { Migrator } from '../migration/migrator.js';
import { stringArgument } from './arguments.js';
import { operation, watching } from './calls.js';
import type { NamedCall } from './state-service.js';

/** The migration functions of `State`. */
export const migrationCalls = (migration: () => Promise<Migrator>): Record<string, NamedCall> => ({
  migrate: async ([target], context) => {
    const to = stringArgument('migrate', 1, target);
    return await operation(async () => {
      const migrator = await migration();
      const result = await migrator.migrate(to, watching(context));
      return {
        status: result.status,
        from_version: result.fromVersion,
        to_version: result.toVersion,
        items_migrated: result.entriesMigrated,
        entry_count: result.entriesChecked,
        backup_id: result.backupId,
        rollback_id: result.rollbackId,
        duration_ms: result.durationMs,
        warnings: result.warnings,
        errors: [],
      };
    }, failed);
  },
  get_migration_status: async () => {
    const status = await (await migration()).status();
    return {
      current_version: status.currentVersion,
      latest_version: status.latestVersion,
      is_latest: status.isLatest,
      is_assumed: status.isAssumed,
      migration_available: status.migrationAvailable,
      total_schemas: status.totalSchemas,
      migration_targets: status.targets,
      error: status.error,
    };
  },
  get_schema_versions: async () => (await migration()).versions(),
});

/** What is said of a migration that failed, beside the one sentence. */
const failed = (error: unknown): Record<string, unknown> => ({
  status: 'failed',
  items_migrated: 0,
  warnings: [],
  ...(error instanceof MigrationFailure && {
    errors: error.failures.map(failureText),
    error_count: error.failureCount,
  }),
});
