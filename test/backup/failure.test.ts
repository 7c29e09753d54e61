import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { DirectoryRepository } from '../../src/backup/directory-repository.js';
import { BackupManager } from '../../src/backup/manager.js';
import { BACKENDS, newDirectory, OPTIONS, set } from './harness.js';

const mounted: string[] = [];
afterEach(() => {
  for (const path of mounted.splice(0)) spawnSync('umount', [path]);
});

/** A directory with room for so many bytes; undefined where this process may not make one. */
async function smallDisk(sizeBytes: number): Promise<string | undefined> {
  const path = await newDirectory();
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', path]);
  if (status === 0) mounted.push(path);
  return status === 0 ? path : undefined;
}

test('a backup for which there is no space leaves nothing behind, and the earlier ones as they are', async (context) => {
  const directory = await smallDisk(256 * 1024);
  if (directory === undefined) return context.skip('only root can make a small disk');
  const store = await BACKENDS.memory();
  const repository = new DirectoryRepository(directory);
  const backups = new BackupManager({
    repository,
    options: { ...OPTIONS, compression: { type: 'none', level: 0 } },
    store,
  });
  await set(store, 'a/small', 'x');
  const { backup } = await backups.create();
  await set(store, 'a/large', 'x'.repeat(400 * 1024));
  for (const incremental of [false, true]) {
    await expect(backups.create({ incremental })).rejects.toMatchObject({
      code: 'BACKUP_FAILED',
      message: expect.stringContaining('has no space left'),
    });
  }
  expect((await readdir(directory)).filter((name) => name.includes('.lsb'))).toEqual([`${backup.id}.lsb`]);
  expect((await backups.validate(backup.id)).isValid).toBe(true);
  await set(store, 'a/large', null);
  expect((await backups.create()).backup.entryCount).toBe(1);
});

test('a process killed while it makes backups leaves whole ones only, and nothing in the way of the next', async () => {
  const [state, directory] = [await newDirectory(), await newDirectory()];
  const reported: string[] = [];
  const program = fileURLToPath(new URL('create-loop.js', import.meta.url));
  for (let run = 0; run < 4; run++) {
    const child = spawn(process.execPath, [program, state, directory, JSON.stringify(OPTIONS)]);
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    let failure = '';
    child.stderr.on('data', (chunk) => {
      failure += chunk;
    });
    await once(child.stdout, 'data');
    await delay(Math.random() * 60);
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(failure).toBe('');
    reported.push(...output.split('\n').slice(0, -1));
  }
  const backups = new BackupManager({
    repository: new DirectoryRepository(directory, { lockTimeoutMs: 0 }),
    options: OPTIONS,
    store: await BACKENDS.memory(),
  });
  expect((await backups.list()).map(({ id }) => id)).toEqual(expect.arrayContaining(reported));
  expect((await backups.validateAll()).filter(({ isValid }) => !isValid)).toEqual([]);
  await backups.create();
  expect((await readdir(directory)).filter((name) => !/\.(lsb|note)$/.test(name))).toEqual([]);
});

test('two processes that back up into one directory at once do not harm each other', async () => {
  const directory = await newDirectory();
  const program = fileURLToPath(new URL('create-loop.js', import.meta.url));
  const options = JSON.stringify(OPTIONS);
  const running = await Promise.all(
    [1, 2].map(async () => {
      const child = spawn(process.execPath, [program, await newDirectory(), directory, options]);
      const found = { child, reported: [] as string[], failure: '' };
      child.stderr.on('data', (chunk) => {
        found.failure += chunk;
      });
      const enough = new Promise<void>((resolve) => {
        child.stdout.on('data', (chunk) => {
          found.reported.push(...String(chunk).trim().split('\n'));
          if (found.reported.length >= 6) resolve();
        });
      });
      return { ...found, enough, found };
    }),
  );
  await Promise.all(running.map(({ enough }) => enough));
  for (const { child } of running) {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
  expect(running.map(({ found }) => found.failure)).toEqual(['', '']);
  const backups = new BackupManager({ repository: new DirectoryRepository(directory), options: OPTIONS });
  const records = await backups.list();
  const reported = running.flatMap(({ found }) => found.reported);
  expect(records.map(({ id }) => id)).toEqual(expect.arrayContaining(reported));
  expect(new Set(records.map(({ position }) => position.storeId)).size).toBe(2);
  expect((await backups.validateAll()).filter(({ isValid }) => !isValid)).toEqual([]);
  for (const { createdAtMs } of records)
    expect(records.filter((other) => other.createdAtMs === createdAtMs)).toHaveLength(1);
});
