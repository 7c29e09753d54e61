import { existsSync } from 'node:fs';
import { mkdtemp, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { makeDirectory } from '../../src/util/make-directory.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'llmspell-directory-'));
});

test('what is missing is made, and the topmost of it returned', async () => {
  expect(await makeDirectory(join(root, 'a/b/c'), 0o700)).toBe(join(root, 'a'));
  expect((await stat(join(root, 'a/b/c'))).mode & 0o777).toBe(0o700);
  expect(await makeDirectory(join(root, 'a/b/c'))).toBeUndefined();
  expect(await makeDirectory(join(root, 'a/b/d'))).toBe(join(root, 'a/b/d'));
  await symlink('a', join(root, 'link'));
  expect(await makeDirectory(join(root, 'link/e'))).toBe(join(root, 'link/e'));
});

test('many at once make it together', async () => {
  const all = Array.from({ length: 20 }, () => makeDirectory(join(root, 'x/y/z')));
  expect((await Promise.allSettled(all)).filter(({ status }) => status === 'rejected')).toEqual([]);
});

test('what is no directory is in the way', async () => {
  await writeFile(join(root, 'file'), '');
  await expect(makeDirectory(join(root, 'file'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  await expect(makeDirectory(join(root, 'file/below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

test.skipIf(!existsSync('/proc/self'))('where nothing can be made, it fails and comes back', async () => {
  await expect(makeDirectory('/proc/llmspell/a/b')).rejects.toMatchObject({ code: 'ENOENT' });
});
