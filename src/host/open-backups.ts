import { DirectoryRepository } from '../backup/directory-repository.js';
import { BackupManager } from '../backup/manager.js';
import type { Config } from '../config/schema.js';
import { LlmspellError } from '../errors.js';
import type { StateStore } from '../state/types.js';
import { backupOptions } from './backup-options.js';

/** The backups that a configuration describes; without a store only the archives can be worked on. Throws `BACKUP_DISABLED`. */
export async function openBackups(config: Config, env: NodeJS.ProcessEnv, store?: StateStore): Promise<BackupManager> {
  const { backup, backup_enabled: enabled } = config.runtime.state_persistence;
  if (!backup || !enabled) throw new LlmspellError('BACKUP_DISABLED', 'This configuration has no backups.');
  const repository = new DirectoryRepository(backup.backup_dir);
  await repository.open();
  return new BackupManager({ repository, options: backupOptions(backup, env), ...(store && { store }) });
}
