import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DirectoryRepository } from '../../src/backup/directory-repository.js';
import { BackupManager } from '../../src/backup/manager.js';
import type { Progress } from '../../src/backup/types.js';
import { utf8 } from '../../src/util/bytes.js';
import { archivePath, BACKENDS, type Bench, contentOf, flip, newBench, newDirectory, OPTIONS, set } from './harness.js';

const full = (bench: Bench) => bench.backups.create();
const incremental = (bench: Bench) => bench.backups.create({ incremental: true });

async function stateOf({ backups }: Bench, id: string): Promise<Record<string, string>> {
  const state = await backups.openState(await backups.chain(id));
  const store = await BACKENDS.memory();
  for await (const page of state.entries()) {
    for (const { key, value } of page) {
      const [scope, name] = Buffer.from(key).toString().split('\0\x01');
      await set(store, `${scope}/${name}`, value && Buffer.from(value).toString());
    }
  }
  await state.close();
  return await contentOf(store);
}

describe.each(['memory', 'level'] as const)('with the %s backend', (backend) => {
  test('a full backup and incremental ones on it each hold the state of their moment', async () => {
    const bench = await newBench({ backend });
    await set(bench.store, 'user/a', '1');
    await set(bench.store, 'user/b', '1');
    const first = await full(bench);
    const atFirst = await contentOf(bench.store);
    await set(bench.store, 'user/a', '2');
    await set(bench.store, 'user/b', null);
    const second = await incremental(bench);
    const atSecond = await contentOf(bench.store);
    await set(bench.store, 'other/c', '3');
    await set(bench.store, 'other/c', '4');
    const third = await incremental(bench);
    const atThird = await contentOf(bench.store);
    expect(first.backup).toMatchObject({ isIncremental: false, entryCount: 2, recordCount: 2 });
    expect(second.backup).toMatchObject({ isIncremental: true, parentId: first.backup.id, entryCount: 2 });
    expect(third.backup).toMatchObject({ parentId: second.backup.id, entryCount: 1, recordCount: 2 });
    expect([first, second, third].flatMap(({ warnings }) => warnings)).toEqual([]);
    expect(await stateOf(bench, first.backup.id)).toEqual(atFirst);
    expect(await stateOf(bench, second.backup.id)).toEqual(atSecond);
    expect(await stateOf(bench, third.backup.id)).toEqual(atThird);
    await bench.store.close();
  });
});

describe('an incremental backup becomes a full one, and says why', () => {
  const warningOf = async (bench: Bench) => {
    const { backup, warnings } = await incremental(bench);
    expect(backup.isIncremental).toBe(false);
    return warnings.join(' ');
  };

  test('where there is no earlier one', async () => {
    expect(await warningOf(await newBench())).toContain('there is no earlier backup of this state');
  });

  test('where the earlier ones are of another state', async () => {
    const bench = await newBench();
    await full(bench);
    const other = new BackupManager({
      repository: bench.backups.repository,
      options: OPTIONS,
      store: await BACKENDS.memory(),
    });
    expect(await warningOf({ ...bench, backups: other })).toContain('there is no earlier backup of this state');
  });

  test('where incremental backups are switched off', async () => {
    const bench = await newBench({ incrementalEnabled: false });
    await full(bench);
    expect(await warningOf(bench)).toContain('incremental_enabled');
  });

  test('where the chain has become too long', async () => {
    const bench = await newBench({ maxChainLength: 2 });
    await full(bench);
    expect((await incremental(bench)).backup.isIncremental).toBe(true);
    expect(await warningOf(bench)).toContain('greatest length of 2');
  });

  test('where the last full one is too old', async () => {
    const bench = await newBench({ fullIntervalSeconds: 60 });
    await full(bench);
    bench.clock.timeMs += 59_000;
    expect((await incremental(bench)).backup.isIncremental).toBe(true);
    bench.clock.timeMs += 2000;
    expect(await warningOf(bench)).toContain('more than 60 seconds old');
  });

  test('where the history no longer has all changes since the parent', async () => {
    const forgetful = { enabled: false, maxAgeSeconds: 3600, maxBytes: 1e6 };
    const store = await BACKENDS.memory({ history: forgetful });
    const bench = await newBench({ store });
    const elsewhere = await newBench({ store });
    await set(store, 'a/1', 'x');
    await full(bench);
    await set(store, 'a/2', 'x');
    // Without history, changes are kept only until a backup has them.
    await full(elsewhere);
    await set(store, 'a/3', 'x');
    expect(await warningOf(bench)).toContain('no longer all in the history');
  });

  test('where the parent of the parent is missing', async () => {
    const bench = await newBench();
    const { backup } = await full(bench);
    await incremental(bench);
    await rm(archivePath(bench, backup));
    expect(await warningOf(bench)).toContain(`${backup.id}, which`);
  });

  test.each([0, 0.5, 1])('where a bit of the parent has been turned over (at %f of its length)', async (at) => {
    const bench = await newBench();
    await set(bench.store, 'a/b', 'c'.repeat(5000));
    const { backup } = await full(bench);
    await flip(archivePath(bench, backup), at);
    expect(await warningOf(bench)).toContain('damaged');
  });
});

describe('ids', () => {
  test('any unambiguous beginning finds a backup, and latest the newest', async () => {
    const bench = await newBench();
    const [a, b] = [(await full(bench)).backup, (await full(bench)).backup];
    expect((await bench.backups.find(a.id.slice(0, 12))).id).toBe(a.id);
    expect((await bench.backups.find(a.id.toUpperCase())).id).toBe(a.id);
    expect((await bench.backups.find('latest')).id).toBe(b.id);
  });

  test('unknown, impossible and ambiguous ones are told apart', async () => {
    const bench = await newBench();
    await expect(bench.backups.find('latest')).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' });
    for (let i = 0; i < 17; i++) await full(bench);
    const ids = (await bench.backups.list()).map(({ id }) => id[0]!);
    const twice = ids.find((digit, i) => ids.indexOf(digit) < i)!;
    await expect(bench.backups.find(twice)).rejects.toMatchObject({ code: 'BACKUP_AMBIGUOUS' });
    for (const id of ['../x', '', 'xyz', '..', '0123456789abcdef0']) {
      await expect(bench.backups.find(id), id).rejects.toMatchObject({ code: 'BACKUP_ID_INVALID' });
      await expect(bench.backups.delete(id), id).rejects.toMatchObject({ code: 'BACKUP_ID_INVALID' });
    }
  });
});

test('the list is oldest first, also where the clock was set back, and can be filtered', async () => {
  const bench = await newBench();
  const first = (await bench.backups.create({ tags: ['daily'], description: 'one' })).backup;
  bench.clock.timeMs -= 3_600_000;
  const second = (await bench.backups.create({ tags: ['daily', 'x'] })).backup;
  const third = (await full(bench)).backup;
  const ids = async (filter = {}) => (await bench.backups.list(filter)).map(({ id }) => id);
  expect(await ids()).toEqual([first.id, second.id, third.id]);
  expect(await ids({ tag: 'daily' })).toEqual([first.id, second.id]);
  expect(await ids({ limit: 1 })).toEqual([third.id]);
  expect(await ids({ limit: 0 })).toEqual([]);
  expect(await ids({ sinceMs: second.createdAtMs })).toEqual([second.id, third.id]);
  expect((await bench.backups.list())[0]).toMatchObject({ description: 'one', tags: ['daily'], pinned: false });
});

test('a cache that is missing, damaged or of other archives changes nothing in the list', async () => {
  const bench = await newBench();
  await full(bench);
  await incremental(bench);
  const expected = await bench.backups.list();
  const cache = join(bench.directory, 'catalog.note');
  const again = () => new BackupManager({ repository: new DirectoryRepository(bench.directory), options: OPTIONS });
  expect(await again().list()).toEqual(expected);
  await writeFile(cache, 'nonsense');
  expect(await again().list()).toEqual(expected);
  await flip(cache);
  expect(await again().list()).toEqual(expected);
  await rm(cache);
  expect(await again().list()).toEqual(expected);
});

test('an archive with an unreadable header is listed as damaged, and the others as ever', async () => {
  const bench = await newBench();
  const [a, b] = [(await full(bench)).backup, (await full(bench)).backup];
  await flip(archivePath(bench, a), 0);
  const records = await bench.backups.list();
  expect(records.find(({ id }) => id === a.id)?.damage).toBeDefined();
  expect(records.find(({ id }) => id === b.id)?.damage).toBeUndefined();
  expect((await bench.backups.find('latest')).id).toBe(b.id);
});

test('an archive under the id of another one is noticed', async () => {
  const bench = await newBench();
  const [a, b] = [(await full(bench)).backup, (await full(bench)).backup];
  const { copyFile } = await import('node:fs/promises');
  await copyFile(archivePath(bench, b), archivePath(bench, a));
  const result = await bench.backups.validate(a.id);
  expect(result).toMatchObject({ isValid: false, integrityValid: false });
  expect(result.errors.join()).toContain(b.id);
});

describe('deleting', () => {
  test('a backup that others rest on is refused, and so is a pinned one', async () => {
    const bench = await newBench();
    const base = (await full(bench)).backup;
    const top = (await incremental(bench)).backup;
    await expect(bench.backups.delete(base.id)).rejects.toMatchObject({ code: 'BACKUP_NEEDED' });
    expect(await bench.backups.pin(top.id)).toMatchObject({ pinned: true });
    await expect(bench.backups.delete(top.id)).rejects.toMatchObject({ code: 'BACKUP_PINNED' });
    await bench.backups.unpin(top.id);
    await bench.backups.delete(top.id);
    await bench.backups.delete(base.id);
    expect(await bench.backups.list()).toEqual([]);
    await expect(bench.backups.delete(base.id)).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' });
  });
});

describe('retention', () => {
  const policy = { ...OPTIONS.retention, maxBackups: 2 };

  test('runs after each backup and tells what it removed', async () => {
    const bench = await newBench({ retention: policy });
    const first = (await full(bench)).backup;
    await full(bench);
    const third = await full(bench);
    expect(third.retention?.decisions.filter(({ keep }) => !keep)).toEqual([
      { id: first.id, keep: false, reason: 'it is not among the newest 2' },
    ]);
    expect(await bench.backups.list()).toHaveLength(2);
  });

  test('a dry run removes nothing and says the same', async () => {
    const bench = await newBench();
    for (let i = 0; i < 4; i++) await full(bench);
    const { repository } = bench.backups;
    const strict = new BackupManager({ repository, options: { ...OPTIONS, retention: policy }, clock: bench.clock });
    const dry = await strict.cleanup({ dryRun: true });
    expect(dry).toMatchObject({ dryRun: true, deletedCount: 2, retainedCount: 2 });
    expect(await bench.backups.list()).toHaveLength(4);
    expect(await strict.cleanup()).toEqual({ ...dry, dryRun: false });
    expect(await bench.backups.list()).toHaveLength(2);
  });

  test('a pinned backup stays', async () => {
    const bench = await newBench({ retention: policy });
    const pinned = (await bench.backups.create({ pin: true })).backup;
    for (let i = 0; i < 4; i++) await full(bench);
    expect((await bench.backups.list()).map(({ id }) => id)).toContain(pinned.id);
  });

  test('the newest full backup that is really sound stays, though newer ones look well from outside', async () => {
    const bench = await newBench();
    await set(bench.store, 'a/b', 'c'.repeat(5000));
    const sound = (await full(bench)).backup;
    const rotten = [(await full(bench)).backup, (await full(bench)).backup];
    for (const backup of rotten) await flip(archivePath(bench, backup));
    const { repository } = bench.backups;
    const retention = { ...policy, maxBackups: 1 };
    const strict = new BackupManager({ repository, options: { ...OPTIONS, retention }, clock: bench.clock });
    await strict.cleanup();
    expect((await bench.backups.list()).map(({ id }) => id)).toContain(sound.id);
  });
});

describe('validating', () => {
  test('a sound chain is valid in every respect', async () => {
    const bench = await newBench();
    await full(bench);
    const { backup } = await incremental(bench);
    const expected = { isValid: true, checksumValid: true, integrityValid: true, chainValid: true, errors: [] };
    expect(await bench.backups.validate(backup.id)).toMatchObject({ backupId: backup.id, ...expected });
    expect(await bench.backups.validateAll()).toMatchObject([expected, expected]);
  });

  test('an unknown or impossible id is not valid, with an error, and does not throw', async () => {
    const { backups } = await newBench();
    for (const id of ['0123456789abcdef', '../x', 'latest']) {
      const result = await backups.validate(id);
      expect(result).toMatchObject({ isValid: false, checksumValid: false, integrityValid: false, chainValid: false });
      expect(result.errors).toHaveLength(1);
    }
  });

  test.each([0, 1, 2])(
    'a bit turned over in archive %i of a chain is found in it and in what rests on it',
    async (index) => {
      const bench = await newBench();
      const ids: string[] = [];
      for (let i = 0; i < 3; i++) {
        await set(bench.store, 'a/b', String(i).repeat(2000));
        ids.push((await incremental(bench)).backup.id);
      }
      await flip(archivePath(bench, { id: ids[index]! }));
      for (const [i, id] of ids.entries()) {
        const result = await bench.backups.validate(id);
        expect(result.isValid, `archive ${i}`).toBe(i < index);
        expect(result.chainValid).toBe(i <= index);
        if (i >= index) expect(result.errors.join()).toContain(ids[index]);
      }
    },
  );

  test('a missing parent and one put in its place are named', async () => {
    const bench = await newBench();
    const base = (await full(bench)).backup;
    const { backup } = await incremental(bench);
    await rm(archivePath(bench, base));
    const missing = await bench.backups.validate(backup.id);
    expect(missing).toMatchObject({ isValid: false, checksumValid: true, integrityValid: true, chainValid: false });
    expect(missing.errors).toEqual([expect.stringContaining(`${base.id}, which`)]);
  });
});

test('validating all reads each archive once, and tells how far it is with all of them', async () => {
  const bench = await newBench({ compression: { type: 'none', level: 0 } });
  for (let i = 0; i < 6; i++) {
    await set(bench.store, `a/${i}`, 'x'.repeat(300_000));
    await (i % 3 === 0 ? full(bench) : incremental(bench));
  }
  const { totalBytes } = await bench.backups.usage();
  const steps: Progress[] = [];
  const results = await bench.backups.validateAll({ onProgress: (step) => steps.push(step) });
  expect(results.map(({ isValid }) => isValid)).toEqual(Array(6).fill(true));
  expect(new Set(steps.map(({ backupId }) => backupId)).size).toBe(6);
  expect(new Set(steps.map(({ total }) => total))).toEqual(new Set([totalBytes]));
  for (const [i, { done }] of steps.entries()) expect(done).toBeGreaterThanOrEqual(steps[i - 1]?.done ?? 0);
  expect(steps.at(-1)).toMatchObject({ operation: 'validate', done: totalBytes, percent: 100 });
});

test('usage counts archives and bytes', async () => {
  const bench = await newBench();
  const a = (await full(bench)).backup;
  const b = (await incremental(bench)).backup;
  expect(await bench.backups.usage()).toMatchObject({
    totalBackups: 2,
    fullBackups: 1,
    incrementalBackups: 1,
    totalBytes: a.sizeBytes + b.sizeBytes,
    oldest: { id: a.id },
    newest: { id: b.id },
  });
});

test('diff names what was added, changed and removed, between two backups and up to the present', async () => {
  const bench = await newBench();
  for (const key of ['a', 'b', 'c']) await set(bench.store, `s/${key}`, '1');
  const a = (await full(bench)).backup;
  await set(bench.store, 's/b', '2');
  await set(bench.store, 's/c', null);
  await set(bench.store, 's/d', '1');
  const b = (await incremental(bench)).backup;
  const name = (key: string) => ({ scope: Buffer.from('s'), key: Buffer.from(key) });
  const expected = { added: [name('d')], changed: [name('b')], removed: [name('c')] };
  expect(await bench.backups.diff(a.id, b.id)).toEqual(expected);
  expect(await bench.backups.diff(a.id, 'current')).toEqual(expected);
  expect(await bench.backups.diff('latest', 'current')).toEqual({ added: [], changed: [], removed: [] });
});

describe('a backup that cannot be made leaves nothing behind', () => {
  const onlyTheNotes = async ({ directory }: Bench) =>
    (await readdir(directory)).filter((name) => !name.endsWith('.note'));

  test('where it is aborted', async () => {
    const bench = await newBench();
    for (let i = 0; i < 50; i++) await set(bench.store, `a/${i}`, 'x');
    const controller = new AbortController();
    const options = { signal: controller.signal, onProgress: () => controller.abort() };
    await expect(bench.backups.create(options)).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await onlyTheNotes(bench)).toEqual([]);
    await expect(bench.backups.create({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
    await full(bench);
  });

  test('without a state to back up', async () => {
    const backups = new BackupManager({ repository: new DirectoryRepository(await newDirectory()), options: OPTIONS });
    await expect(backups.create()).rejects.toMatchObject({ code: 'STATE_DISABLED' });
    await expect(backups.diff('current', 'latest')).rejects.toMatchObject({ code: 'STATE_DISABLED' });
  });

  test('without the key that the configuration promises', async () => {
    const encryptionKey = () => Promise.reject(new Error('no key'));
    const bench = await newBench({ encryptionKey });
    await expect(full(bench)).rejects.toThrow('no key');
    expect(await onlyTheNotes(bench)).toEqual([]);
  });
});

test('encrypted backups are listed without the key, tell nothing of what is in them, and are no parents then', async () => {
  const encryptionKey = async () => ({ kind: 'raw' as const, bytes: new Uint8Array(32).fill(7) });
  const bench = await newBench({ encryptionKey });
  await set(bench.store, 'secret/name', 'value');
  const { backup } = await bench.backups.create({ description: 'hidden' });
  expect((await bench.backups.validate(backup.id)).isValid).toBe(true);
  expect((await incremental(bench)).backup.isIncremental).toBe(true);
  const other = async () => ({ kind: 'raw' as const, bytes: new Uint8Array(32).fill(8) });
  const { repository } = bench.backups;
  const blind = new BackupManager({ repository, options: { ...OPTIONS, encryptionKey: other }, store: bench.store });
  expect((await blind.list())[0]).toMatchObject({ id: backup.id, sealed: true, description: '' });
  expect((await blind.create({ incremental: true })).warnings.join()).toContain('another key');
  const notes = await Promise.all(
    (await readdir(bench.directory))
      .filter((name) => name.endsWith('.note'))
      .map(async (name) => Buffer.from((await repository.readNote(name.slice(0, -5)))!).toString()),
  );
  expect(notes.join()).not.toContain('hidden');
});

test('backups made at the same time come one after the other', async () => {
  const bench = await newBench();
  await bench.store.write([{ scope: utf8('a'), key: utf8('b'), value: utf8('c') }]);
  const made = await Promise.all([incremental(bench), incremental(bench), incremental(bench)]);
  expect(made.map(({ backup }) => backup.isIncremental)).toEqual([false, true, true]);
  expect(made[2]!.backup.parentId).toBe(made[1]!.backup.id);
});

test('a full backup tells how far it is by what the last one had', async () => {
  const bench = await newBench();
  for (let i = 0; i < 40; i++) await set(bench.store, `a/${i}`, 'x');
  const totalsOf = async () => {
    const totals: (number | undefined)[] = [];
    await bench.backups.create({ onProgress: ({ phase, total }) => phase === 'entries' && totals.push(total) });
    return [...new Set(totals)];
  };
  expect(await totalsOf()).toEqual([undefined]);
  expect(await totalsOf()).toEqual([40]);
  await set(bench.store, 'a/more', 'x');
  expect(await totalsOf()).toEqual([undefined]);
});
