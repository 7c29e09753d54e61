import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { DirectoryRepository } from '../../src/backup/directory-repository.js';
import { BackupManager } from '../../src/backup/manager.js';
import { createLevelBackend } from '../../src/state/backends/level.js';
import { openStore } from '../../src/state/store.js';
import { contentOf, newDirectory, OPTIONS, set } from '../backup/harness.js';

const program = fileURLToPath(new URL('restore-loop.js', import.meta.url));
const KILLS = 8;

test.each([
  ['a table file', 0],
  ['commits', 1e9],
])(
  'a process killed while it restores by %s leaves the state before or the state after, never one between',
  async (_, loadFromBytes) => {
    const [directory, archives] = [await newDirectory(), await newDirectory()];
    const open = () => openStore(createLevelBackend({ directory }));
    const repository = new DirectoryRepository(archives);
    const ids: string[] = [];
    const states: string[] = [];
    let store = await open();
    for (const round of ['one', 'two', 'three']) {
      for (let i = 0; i < 300; i++) await set(store, `s/${round}-${i % 200}`, `${round} ${'x'.repeat(i)}`);
      if (round === 'three') await store.clear(Buffer.from('s'));
      const backups = new BackupManager({ repository, options: OPTIONS, store });
      ids.push((await backups.create({ incremental: true })).backup.id);
      states.push(JSON.stringify(await contentOf(store)));
    }
    await store.close();
    const seen = new Set<string>();
    for (let kill = 0; kill < KILLS; kill++) {
      const child = spawn(process.execPath, [
        program,
        directory,
        archives,
        JSON.stringify(OPTIONS),
        String(loadFromBytes),
        ...ids,
      ]);
      let failure = '';
      child.stderr.on('data', (chunk) => {
        failure += chunk;
      });
      await Promise.race([once(child.stdout, 'data'), once(child, 'close')]);
      await delay(Math.random() * 150);
      child.kill('SIGKILL');
      await once(child, 'close');
      expect(failure).toBe('');
      store = await open();
      const content = JSON.stringify(await contentOf(store));
      expect(states).toContain(content);
      seen.add(content);
      await store.close();
    }
    store = await open();
    await set(store, 's/after', 'all is well');
    expect(await contentOf(store)).toMatchObject({ 's/after': 'all is well' });
    await store.close();
  },
);
