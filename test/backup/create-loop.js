// Run as a process of its own, to be killed: makes one backup after the other, each after a change, and prints the ids of those that were reported as made.
import { DirectoryRepository } from '../../dist/backup/directory-repository.js';
import { BackupManager } from '../../dist/backup/manager.js';
import { createLevelBackend } from '../../dist/state/backends/level.js';
import { openStore } from '../../dist/state/store.js';

const [directory, repository, options] = process.argv.slice(2);
const store = await openStore(createLevelBackend({ directory }));
const backups = new BackupManager({
  repository: new DirectoryRepository(repository),
  options: JSON.parse(options),
  store,
});
const scope = Buffer.from('s');
for (let round = 0; ; round++) {
  const changes = Array.from({ length: 500 }, (_, i) => ({
    scope,
    key: Buffer.from(`k${i}`),
    value: Buffer.from(`${round} ${'x'.repeat(200)} ${i}`),
  }));
  await store.write(changes);
  const { backup } = await backups.create({ incremental: round % 4 > 0 });
  process.stdout.write(`${backup.id}\n`);
}
