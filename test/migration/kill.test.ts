import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createLevelBackend } from '../../src/state/backends/level.js';
import { openStore } from '../../src/state/store.js';
import { newDirectory } from '../backup/harness.js';
import { contentOf, migratorOf, put, schemaDirectory } from './support.js';

const program = fileURLToPath(new URL('migrate-loop.js', import.meta.url));
const KILLS = 6;

test('a process killed while it migrates leaves the old version or the new one, never one between', async () => {
  const directory = join(await newDirectory(), 'state');
  const schemas = await schemaDirectory({
    '1.0.0.toml': '',
    '2.0.0.toml': '[[steps]]\nrename = { from = "text", to = "body" }',
  });
  const open = () => openStore(createLevelBackend({ directory }));
  let store = await open();
  // Their changes take more than one segment of history.
  for (let i = 0; i < 60; i++) await put(store, 's', `${i}`, { text: `${i}`.repeat(60_000) });
  const { migrator } = await migratorOf(store, schemas, { backUpFirst: false });
  const states = new Map([[undefined as string | undefined, JSON.stringify(await contentOf(store))]]);
  for (const version of ['2.0.0', '1.0.0']) {
    await migrator.migrate(version);
    states.set(version, JSON.stringify(await contentOf(store)));
  }
  expect(states.get('1.0.0')).toBe(states.get(undefined));
  await store.close();
  for (let kill = 0; kill < KILLS; kill++) {
    const child = spawn(process.execPath, [program, directory, schemas]);
    let failure = '';
    child.stderr.on('data', (chunk) => {
      failure += chunk;
    });
    await Promise.race([once(child.stdout, 'data'), once(child, 'close')]);
    await delay(Math.random() * 300);
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(failure).toBe('');
    store = await open();
    const version = await store.schemaVersion();
    expect(JSON.stringify(await contentOf(store)) === states.get(version)).toBe(true);
    const { seq } = store.position();
    await put(store, 's', '0', { [version === '2.0.0' ? 'body' : 'text']: '0'.repeat(60_000) });
    expect(store.position().seq).toBe(seq + 1);
    await store.close();
  }
}, 60_000);
