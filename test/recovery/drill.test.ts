import { mkdir, readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { drill } from '../../src/recovery/drill.js';
import { archivePath, flip, newBench, newDirectory, set } from '../backup/harness.js';

// Its own directory for scratch states, so that what is left behind can be seen.
const outside = process.env.TMPDIR;
let scratch: string;
beforeEach(async () => {
  scratch = await newDirectory();
  process.env.TMPDIR = scratch;
});
afterEach(() => {
  if (outside === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = outside;
});

test('a sound backup restores, and every entry is compared', async () => {
  const bench = await newBench();
  for (let i = 0; i < 100; i++) await set(bench.store, `a/${i}`, 'x');
  await bench.backups.create();
  await set(bench.store, 'a/0', null);
  const { backup } = await bench.backups.create({ incremental: true });
  const result = await drill(bench.backups, 'latest');
  expect(result).toMatchObject({
    backupId: backup.id,
    success: true,
    entriesCompared: 99,
    entriesDifferent: 0,
    errors: [],
  });
  expect(result.chain).toHaveLength(2);
  expect((await readdir(scratch)).filter((name) => name.includes('scratch'))).toEqual([]);
});

test('the scratch state of a drill that was killed goes with the next drill', async () => {
  const bench = await newBench();
  await set(bench.store, 'a/b', 'c');
  await bench.backups.create();
  const killed = join(scratch, `llmspell-scratch-${hostname()}.tmp-999999999-0123abcd`);
  await mkdir(join(killed, 'db'), { recursive: true });
  expect(await drill(bench.backups, 'latest')).toMatchObject({ success: true });
  expect((await readdir(scratch)).filter((name) => name.includes('scratch'))).toEqual([]);
});

test('a damaged one does not, and the result says why', async () => {
  const bench = await newBench();
  await set(bench.store, 'a/b', 'c'.repeat(3000));
  const { backup } = await bench.backups.create();
  await flip(archivePath(bench, backup));
  const result = await drill(bench.backups, backup.id);
  expect(result.success).toBe(false);
  expect(result.errors.join()).toContain(backup.id);
});

test('an unknown id is an error, and so is being stopped', async () => {
  const bench = await newBench();
  await expect(drill(bench.backups, '0123456789abcdef')).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' });
  await bench.backups.create();
  const aborted = drill(bench.backups, 'latest', { signal: AbortSignal.abort() });
  await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
});
