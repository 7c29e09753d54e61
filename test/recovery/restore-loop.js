// Run as a process of its own, to be killed: restores one backup after the other, again and again.
import { DirectoryRepository } from '../../dist/backup/directory-repository.js';
import { BackupManager } from '../../dist/backup/manager.js';
import { RecoveryOrchestrator } from '../../dist/recovery/orchestrator.js';
import { createLevelBackend } from '../../dist/state/backends/level.js';
import { openStore } from '../../dist/state/store.js';

const [directory, repository, options, loadFromBytes, ...ids] = process.argv.slice(2);
const store = await openStore(createLevelBackend({ directory, loadFromBytes: Number(loadFromBytes) }));
const backups = new BackupManager({
  repository: new DirectoryRepository(repository),
  options: JSON.parse(options),
  store,
});
const recovery = new RecoveryOrchestrator({ store, backups });
process.stdout.write('ready\n');
for (;;) for (const backupId of ids) await recovery.restore({ backupId });
