import { mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { atomicWrite } from '../../src/util/atomic-write.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'llmspell-atomic-'));
});

test('the new content replaces the old one, readable by the owner only', async () => {
  const path = join(directory, 'file');
  await writeFile(path, 'old');
  await atomicWrite(path, (file) => file.writeFile('new'));
  expect(await readFile(path, 'utf8')).toBe('new');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a write that fails half-way leaves the old content and no leftovers', async () => {
  const path = join(directory, 'file');
  await writeFile(path, 'old');
  const failing = atomicWrite(path, async (file) => {
    await file.writeFile('half');
    throw new Error('no more');
  });
  await expect(failing).rejects.toThrow('no more');
  expect(await readFile(path, 'utf8')).toBe('old');
  expect(await readdir(directory)).toEqual(['file']);
});
