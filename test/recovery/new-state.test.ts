import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { BackupManager } from '../../src/backup/manager.js';
import { buildState, restoreInto } from '../../src/recovery/new-state.js';
import { createLevelBackend } from '../../src/state/backends/level.js';
import { openStore } from '../../src/state/store.js';
import { utf8 } from '../../src/util/bytes.js';
import { archivePath, type Bench, contentOf, flip, newBench, newDirectory, OPTIONS, set } from '../backup/harness.js';

let bench: Bench;
let place: string;
beforeEach(async () => {
  bench = await newBench();
  place = await newDirectory();
});

const inDirectory = async (directory: string) => {
  const store = await openStore(createLevelBackend({ directory }));
  const content = await contentOf(store);
  await store.close();
  return content;
};

async function twoBackups() {
  await set(bench.store, 'a/x', '1');
  await set(bench.store, 'b/y', '1');
  const first = { id: (await bench.backups.create()).backup.id, content: await contentOf(bench.store) };
  bench.clock.timeMs += 1000;
  await set(bench.store, 'a/x', '2');
  const { timeMs, seq } = bench.store.position();
  bench.clock.timeMs += 1000;
  await set(bench.store, 'a/x', '3');
  const { backup } = await bench.backups.create({ incremental: true });
  return { first, second: { id: backup.id, content: await contentOf(bench.store) }, between: { timeMs, seq } };
}

describe('a restore into a new state', () => {
  test('gives what the backup holds, or the moment, and leaves the present state as it is', async () => {
    const { first, second, between } = await twoBackups();
    await set(bench.store, 'c/z', 'later');
    const present = await contentOf(bench.store);
    const { store, ...archives } = bench;
    for (const [name, target, expected] of [
      ['one', { backupId: first.id }, first.content],
      ['two', { backupId: 'latest' }, second.content],
      ['time', { timeMs: between.timeMs }, { ...second.content, 'a/x': '2' }],
    ] as const) {
      const directory = join(place, 'deep', name);
      const result = await restoreInto(archives.backups, target, directory);
      expect(result).toMatchObject({ entriesRestored: 2, entriesDeleted: 0, rollbackId: undefined });
      expect(await inDirectory(directory)).toEqual(expected);
    }
    expect(await contentOf(store)).toEqual(present);
  });

  test('of some scopes has only these', async () => {
    const { first } = await twoBackups();
    await restoreInto(bench.backups, { backupId: first.id }, join(place, 'new'), { scopes: [utf8('b')] });
    expect(await inDirectory(join(place, 'new'))).toEqual({ 'b/y': '1' });
  });

  test('takes an empty directory, and refuses one that holds something', async () => {
    const { first } = await twoBackups();
    await mkdir(join(place, 'empty'));
    await restoreInto(bench.backups, { backupId: first.id }, join(place, 'empty'));
    expect(await inDirectory(join(place, 'empty'))).toEqual(first.content);
    await writeFile(join(place, 'file'), '');
    for (const [directory, code] of [
      [place, 'USAGE'],
      [join(place, 'file'), 'OUTPUT_FAILED'],
    ] as const)
      await expect(restoreInto(bench.backups, { backupId: first.id }, directory)).rejects.toMatchObject({ code });
    expect((await readdir(place)).sort()).toEqual(['empty', 'file']);
  });

  test('that fails or is stopped leaves nothing', async () => {
    const { second } = await twoBackups();
    const controller = new AbortController();
    const stopped = { signal: controller.signal, onProgress: () => controller.abort() };
    const into = join(place, 'new');
    await expect(restoreInto(bench.backups, { backupId: second.id }, into, stopped)).rejects.toMatchObject({
      code: 'ABORTED',
    });
    await flip(archivePath(bench, second));
    await expect(restoreInto(bench.backups, { backupId: second.id }, into)).rejects.toMatchObject({ exitCode: 4 });
    await expect(buildState(into, () => Promise.reject(new RangeError('no')))).rejects.toThrow(RangeError);
    expect(await readdir(place)).toEqual([]);
  });

  test('removes what a killed process left, and nothing of one that still works', async () => {
    const { first } = await twoBackups();
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    const [dead, alive] = [`new.tmp-${child.pid}-00ff00ff`, `new.tmp-${process.pid}-00ff00ff`];
    for (const name of [dead, alive]) await mkdir(join(place, name, 'db'), { recursive: true });
    await restoreInto(bench.backups, { backupId: first.id }, join(place, 'new'));
    expect((await readdir(place)).sort()).toEqual(['new', alive]);
  });

  test('in a dry run makes nothing, and says what it would', async () => {
    const { second } = await twoBackups();
    const result = await restoreInto(bench.backups, { backupId: second.id }, join(place, 'new'), { dryRun: true });
    expect(result).toMatchObject({ dryRun: true, entriesRestored: 2, plan: { chain: [{}, { id: second.id }] } });
    expect(await readdir(place)).toEqual([]);
  });

  test('goes on into backups that rest on the restored one', async () => {
    const { second } = await twoBackups();
    await restoreInto(bench.backups, { backupId: second.id }, join(place, 'new'));
    const store = await openStore(createLevelBackend({ directory: join(place, 'new') }));
    await set(store, 'a/x', '4');
    const backups = new BackupManager({ repository: bench.backups.repository, options: OPTIONS, store });
    const { backup } = await backups.create({ incremental: true });
    expect(backup).toMatchObject({ parentId: second.id, recordCount: 1 });
    await store.close();
  });
});
