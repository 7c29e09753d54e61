// Run as a process of its own, to be killed: encrypts all backups, takes the encryption away again, and so on; prints a line a round.
import { DirectoryRepository } from '../../dist/backup/directory-repository.js';
import { BackupManager } from '../../dist/backup/manager.js';

const [directory, options] = process.argv.slice(2);
const backups = new BackupManager({ repository: new DirectoryRepository(directory), options: JSON.parse(options) });
const key = { kind: 'raw', bytes: new Uint8Array(32).fill(1) };
for (;;) {
  for (const newKey of [key, null]) {
    const results = await backups.rekey(undefined, { oldKey: key, newKey });
    for (const { error } of results) if (error) throw error;
    process.stdout.write('round\n');
  }
}
