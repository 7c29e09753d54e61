import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DirectoryRepository } from '../../src/backup/directory-repository.js';
import { testBackupRepository } from '../../src/testing/repository-conformance.js';
import { utf8 } from '../../src/util/bytes.js';
import { thisProcess } from '../../src/util/process-identity.js';

const ID = '0123456789abcdef';
const newDirectory = () => mkdtemp(join(tmpdir(), 'llmspell-repository-'));

describe('conformance', () => {
  testBackupRepository({
    test,
    createPair: async () => {
      const directory = join(await newDirectory(), 'made', 'by the first write');
      return { one: new DirectoryRepository(directory), other: new DirectoryRepository(directory) };
    },
  });
});

test('a made directory belongs to its owner alone, and so do the archives', async () => {
  const directory = join(await newDirectory(), 'backups');
  await new DirectoryRepository(directory).put(ID, (sink) => sink.write(utf8('x')));
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  expect((await stat(join(directory, `${ID}.lsb`))).mode & 0o777).toBe(0o600);
});

test('an archive whose bytes were touched has another version', async () => {
  const directory = await newDirectory();
  const repository = new DirectoryRepository(directory);
  await repository.put(ID, (sink) => sink.write(utf8('abc')));
  const before = await repository.list();
  await writeFile(join(directory, `${ID}.lsb`), 'abd');
  expect((await repository.list())[0]!.version).not.toBe(before[0]!.version);
});

describe('leftovers', () => {
  test('of a process that is gone are removed, those of one that still writes are not', async () => {
    const directory = await newDirectory();
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    const dead = `${ID}.lsb.tmp-${child.pid}-00ff`;
    const alive = `${ID}.lsb.tmp-${process.ppid}-00ff`;
    const abandoned = `${ID}.lsb.tmp-${process.ppid}-00aa`;
    for (const name of [dead, alive, abandoned]) await writeFile(join(directory, name), 'half');
    await utimes(join(directory, abandoned), 1, 1);
    const repository = new DirectoryRepository(directory);
    expect(await repository.list()).toEqual([]);
    await repository.exclusive(async () => undefined);
    expect(await readdir(directory)).toEqual([alive]);
  });

  test('the lock of a process that is gone is taken over at once', async () => {
    const directory = await newDirectory();
    const holder = { ...thisProcess(), startTicks: '1', token: 'dead' };
    await writeFile(join(directory, 'lock'), JSON.stringify(holder));
    const repository = new DirectoryRepository(directory, { lockTimeoutMs: 0 });
    expect(await repository.exclusive(async () => 'mine')).toBe('mine');
    expect(await readdir(directory)).toEqual([]);
  });

  test('a lock that was cut short while it was written, and that of a machine not heard of any more, do not block', async () => {
    const directory = await newDirectory();
    const repository = new DirectoryRepository(directory, { lockTimeoutMs: 0 });
    const elsewhere = JSON.stringify({ ...thisProcess(), host: 'elsewhere.example', token: 'x' });
    for (const content of ['', '{"pid":', elsewhere]) {
      await writeFile(join(directory, 'lock'), content);
      await expect(repository.exclusive(async () => 1)).rejects.toMatchObject({ code: 'BACKUP_FAILED' });
      await utimes(join(directory, 'lock'), 1, 1);
      expect(await repository.exclusive(async () => 1)).toBe(1);
    }
  });
});

test('who waits for a living process too long is told which one', async () => {
  const directory = await newDirectory();
  const [one, other] = [new DirectoryRepository(directory), new DirectoryRepository(directory, { lockTimeoutMs: 30 })];
  await one.exclusive(async () => {
    await expect(other.exclusive(async () => 1)).rejects.toMatchObject({
      code: 'BACKUP_FAILED',
      message: expect.stringContaining(`process ${process.pid}`),
    });
  });
});

test('waiting for a turn can be aborted', async () => {
  const directory = await newDirectory();
  const [one, other] = [new DirectoryRepository(directory), new DirectoryRepository(directory)];
  const controller = new AbortController();
  await one.exclusive(async () => {
    const waiting = other.exclusive(async () => 1, controller.signal);
    controller.abort();
    await expect(waiting).rejects.toThrow();
  });
});

describe('a directory that cannot be used is named in one sentence', () => {
  const unusable = async (location: string, words: string) => {
    const repository = new DirectoryRepository(location);
    const failure = { code: 'BACKUP_FAILED', message: expect.stringContaining(words), subject: location };
    await expect(repository.put(ID, (sink) => sink.write(utf8('x')))).rejects.toMatchObject(failure);
    await expect(repository.exclusive(async () => 1)).rejects.toMatchObject(failure);
  };

  test('where a file stands in its place, or in its way', async () => {
    const directory = await newDirectory();
    await writeFile(join(directory, 'file'), '');
    await unusable(join(directory, 'file'), 'is not a directory');
    await unusable(join(directory, 'file', 'below'), 'is not a directory');
    await expect(new DirectoryRepository(join(directory, 'file')).open()).rejects.toMatchObject({
      code: 'BACKUP_FAILED',
    });
    await expect(new DirectoryRepository(join(directory, 'file')).list()).rejects.toMatchObject({
      code: 'BACKUP_FAILED',
    });
  });

  test.skipIf(process.getuid?.() === 0)('where it may not be written to', async () => {
    const directory = await newDirectory();
    await chmod(directory, 0o500);
    await unusable(directory, 'cannot be written to');
  });
});
