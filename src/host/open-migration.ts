import type { BackupManager } from '../backup/manager.js';
import type { MachineSettings } from '../channel/start.js';
import type { Config } from '../config/schema.js';
import { LlmspellError } from '../errors.js';
import { Migrator } from '../migration/migrator.js';
import type { StateStore } from '../state/types.js';

export interface MigrationParts {
  store: StateStore;
  /** Of ordinary scripts. */
  machine: MachineSettings;
  /** Undefined where the configuration has no backups. */
  backups: () => Promise<BackupManager | undefined>;
}

/** The migrations that a configuration describes. Throws `MIGRATION_DISABLED`. */
export function openMigration(config: Config, { store, machine, backups }: MigrationParts): Migrator {
  const settings = config.runtime.state_persistence;
  if (!settings.migration_enabled)
    throw new LlmspellError('MIGRATION_DISABLED', 'This configuration does not have migrations switched on.');
  return new Migrator({
    store,
    directory: settings.schema_dir,
    maxValueBytes: settings.max_state_size_bytes,
    backUpFirst: settings.backup_on_migration,
    backups,
    openLua: async (files, signal) => {
      const { LuaMigration } = await import('./lua-migration.js');
      const timeoutSeconds = config.runtime.script_timeout_seconds;
      return await LuaMigration.open(files, { machine, timeoutSeconds, signal });
    },
  });
}
