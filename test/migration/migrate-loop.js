// Run as a process of its own, to be killed: migrates up and down, again and again.

import { Migrator } from '../../dist/migration/migrator.js';
import { createLevelBackend } from '../../dist/state/backends/level.js';
import { openStore } from '../../dist/state/store.js';

const [stateDirectory, directory] = process.argv.slice(2);
const store = await openStore(createLevelBackend({ directory: stateDirectory }));
const migrator = new Migrator({ store, directory, maxValueBytes: 10_000_000, backUpFirst: false });
process.stdout.write('ready\n');
for (;;) for (const version of ['2.0.0', '1.0.0']) await migrator.migrate(version);
