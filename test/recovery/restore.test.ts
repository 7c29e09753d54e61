import { readdirSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Progress } from '../../src/backup/types.js';
import { CODECS } from '../../src/config/compression-levels.js';
import { LlmspellError } from '../../src/errors.js';
import { RecoveryOrchestrator } from '../../src/recovery/orchestrator.js';
import { createLevelBackend } from '../../src/state/backends/level.js';
import { createMemoryBackend } from '../../src/state/backends/memory.js';
import { PREFIX_BYTES, seal } from '../../src/state/layout.js';
import { openStore } from '../../src/state/store.js';
import { utf8 } from '../../src/util/bytes.js';
import {
  archivePath,
  BACKENDS,
  type Bench,
  contentOf,
  flip,
  HandClock,
  newBench,
  newDirectory,
  set,
} from '../backup/harness.js';

const name = (key: Uint8Array) => Buffer.from(key).toString('latin1');
const recoveryOf = ({ store, backups, clock }: Bench) => new RecoveryOrchestrator({ store, backups, clock });

/** Three states with a backup of each: full, incremental, incremental. */
async function threeBackups(bench: Bench) {
  const made: { id: string; content: Record<string, string> }[] = [];
  const backUp = async () => {
    const { backup } = await bench.backups.create({ incremental: true });
    made.push({ id: backup.id, content: await contentOf(bench.store) });
    bench.clock.timeMs += 1000;
  };
  for (let i = 0; i < 300; i++) await set(bench.store, `user/${i}`, `first ${i}`);
  await set(bench.store, 'other/x', 'first');
  await backUp();
  for (let i = 0; i < 100; i++) await set(bench.store, `user/${i * 5}`, `second ${i}`);
  await set(bench.store, 'user/7', null);
  await backUp();
  await set(bench.store, 'user/7', 'third');
  await set(bench.store, 'user/8', null);
  await set(bench.store, 'new/x', 'third');
  await backUp();
  return made;
}

describe.each(['memory', 'level', 'level with table files'] as const)('with the %s backend', (backend) => {
  test.each(CODECS)('each backup of a chain comes back whole, packed with %s', async (type) => {
    const bench = await newBench({ backend, compression: { type, level: type === 'brotli' ? 1 : 3 } });
    const made = await threeBackups(bench);
    await bench.store.clear(utf8('user'));
    for (const { id, content } of [...made, ...made.toReversed()]) {
      const result = await recoveryOf(bench).restore({ backupId: id });
      expect(await contentOf(bench.store)).toEqual(content);
      expect(result).toMatchObject({ backupId: id, entriesRestored: Object.keys(content).length });
      expect(result.chain.at(-1)).toBe(id);
    }
    await bench.store.close();
  });

  test('a restore is undone by restoring its rollback id, and that again', async () => {
    const bench = await newBench({ backend });
    const [first] = await threeBackups(bench);
    await set(bench.store, 'late/x', 'not in any backup');
    const before = await contentOf(bench.store);
    const restored = await recoveryOf(bench).restore({ backupId: first!.id });
    const undone = await recoveryOf(bench).restore({ backupId: restored.rollbackId! });
    expect(await contentOf(bench.store)).toEqual(before);
    await recoveryOf(bench).restore({ backupId: undone.rollbackId! });
    expect(await contentOf(bench.store)).toEqual(first!.content);
    await bench.store.close();
  });

  test('some scopes are restored and every other one stays as it is', async () => {
    const bench = await newBench({ backend });
    const [first, , third] = await threeBackups(bench);
    await set(bench.store, 'user/0', 'spoilt');
    await set(bench.store, 'user/extra', 'added');
    await set(bench.store, 'other/x', 'kept');
    const result = await recoveryOf(bench).restore({ backupId: first!.id }, { scopes: [utf8('user')] });
    expect(await contentOf(bench.store)).toEqual({ ...first!.content, 'other/x': 'kept', 'new/x': 'third' });
    expect(result).toMatchObject({ entriesRestored: 300, entriesDeleted: expect.any(Number) });
    const gone = await recoveryOf(bench).restore({ backupId: first!.id }, { scopes: [utf8('new')] });
    expect(gone).toMatchObject({ entriesRestored: 0, entriesDeleted: 1 });
    await recoveryOf(bench).restore({ backupId: third!.id }, { scopes: [utf8('new'), utf8('other'), utf8('user')] });
    expect(await contentOf(bench.store)).toEqual(third!.content);
    await bench.store.close();
  });

  test('entries that the backup does not have are kept where that is asked for', async () => {
    const bench = await newBench({ backend });
    const [first] = await threeBackups(bench);
    await set(bench.store, 'user/extra', 'added');
    const result = await recoveryOf(bench).restore({ backupId: first!.id }, { preserveUntracked: true });
    const expected = { ...first!.content, 'user/extra': 'added', 'new/x': 'third' };
    // The keys set by the second backup beyond the first ones are untracked too.
    for (let i = 60; i < 100; i++) Object.assign(expected, { [`user/${i * 5}`]: `second ${i}` });
    expect(await contentOf(bench.store)).toEqual(expected);
    expect(result.entriesDeleted).toBe(0);
    await bench.store.close();
  });
});

describe('the next incremental backup', () => {
  test('rests on the restored one, and holds what changed since the restore', async () => {
    const bench = await newBench();
    const [first, , third] = await threeBackups(bench);
    await recoveryOf(bench).restore({ backupId: first!.id });
    await set(bench.store, 'user/0', 'after the restore');
    const { backup, warnings } = await bench.backups.create({ incremental: true });
    expect(backup).toMatchObject({ parentId: first!.id, recordCount: 1 });
    expect(warnings).toEqual([]);
    const expected = await contentOf(bench.store);
    await recoveryOf(bench).restore({ backupId: third!.id });
    await recoveryOf(bench).restore({ backupId: backup.id });
    expect(await contentOf(bench.store)).toEqual(expected);
  });

  test('goes on from the newest backup after a restore of some scopes', async () => {
    const bench = await newBench();
    const [first, , third] = await threeBackups(bench);
    await recoveryOf(bench).restore({ backupId: first!.id }, { scopes: [utf8('user')] });
    const expected = await contentOf(bench.store);
    const { backup } = await bench.backups.create({ incremental: true });
    expect(backup.parentId).toBe(third!.id);
    await recoveryOf(bench).restore({ backupId: first!.id });
    await recoveryOf(bench).restore({ backupId: backup.id });
    expect(await contentOf(bench.store)).toEqual(expected);
  });

  test('is right after a restore that was undone, and after going back to a moment', async () => {
    const bench = await newBench();
    const [first, , third] = await threeBackups(bench);
    const { rollbackId } = await recoveryOf(bench).restore({ backupId: first!.id });
    await set(bench.store, 'user/given up', 'x');
    await recoveryOf(bench).restore({ backupId: rollbackId! });
    await set(bench.store, 'user/1', 'after all that');
    const afterUndo = await contentOf(bench.store);
    const one = (await bench.backups.create({ incremental: true })).backup;
    await set(bench.store, 'user/2', 'wanted');
    const wanted = bench.store.position().seq;
    await set(bench.store, 'user/2', 'unwanted');
    await recoveryOf(bench).restore({ seq: wanted });
    await set(bench.store, 'user/3', 'last');
    const afterMoment = await contentOf(bench.store);
    const two = (await bench.backups.create({ incremental: true })).backup;
    expect([one, two].map(({ isIncremental }) => isIncremental)).toEqual([true, true]);
    expect(one.parentId).toBe(third!.id);
    await recoveryOf(bench).restore({ backupId: one.id });
    expect(await contentOf(bench.store)).toEqual(afterUndo);
    await recoveryOf(bench).restore({ backupId: two.id });
    expect(await contentOf(bench.store)).toEqual(afterMoment);
  });
});

describe('a restore that cannot be leaves the state as it was', () => {
  const refusal = async (bench: Bench, restore: Promise<unknown>, failure: object) => {
    const before = await contentOf(bench.store);
    const { seq } = bench.store.position();
    await expect(restore).rejects.toMatchObject(failure);
    expect(await contentOf(bench.store)).toEqual(before);
    expect(bench.store.position().seq).toBe(seq);
    expect(await bench.store.rollbackPoints()).toEqual([]);
  };

  test.each([0, 1, 2])('where archive %i of the chain is damaged, which is named', async (index) => {
    const bench = await newBench();
    const made = await threeBackups(bench);
    await flip(archivePath(bench, made[index]!));
    const code = index === 2 ? 'BACKUP_DAMAGED' : 'BACKUP_CHAIN_BROKEN';
    const failure = { code, message: expect.stringContaining(made[index]!.id) };
    await refusal(bench, recoveryOf(bench).restore({ backupId: made[2]!.id }), failure);
    await refusal(bench, recoveryOf(bench).restore({ backupId: made[2]!.id }, { dryRun: true }), failure);
    const unread = recoveryOf(bench).restore({ backupId: made[2]!.id }, { verify: false });
    await refusal(bench, unread, { code: 'BACKUP_DAMAGED', message: expect.stringContaining(made[index]!.id) });
  });

  test.each(['write', 'verify', 'activate'] as const)('where the disk fails in %s', async (step) => {
    const bench = await newBench({ backend: 'level' });
    const [first] = await threeBackups(bench);
    const begin = bench.store.newGeneration.bind(bench.store);
    const full = new LlmspellError('STATE_FULL', 'There is no space left.');
    bench.store.newGeneration = async () => {
      const generation = await begin();
      generation[step] = () => {
        throw full;
      };
      return generation;
    };
    await refusal(bench, recoveryOf(bench).restore({ backupId: first!.id }), full);
    bench.store.newGeneration = begin;
    await recoveryOf(bench).restore({ backupId: first!.id });
    expect(await contentOf(bench.store)).toEqual(first!.content);
    await bench.store.close();
  });

  test('where an archive of the chain is missing', async () => {
    const bench = await newBench();
    const made = await threeBackups(bench);
    await rm(archivePath(bench, made[1]!));
    const failure = { code: 'BACKUP_CHAIN_BROKEN', message: expect.stringContaining(made[1]!.id) };
    await refusal(bench, recoveryOf(bench).restore({ backupId: made[2]!.id }), failure);
  });

  test('where the id is unknown or impossible, or the moment cannot be had', async () => {
    const bench = await newBench();
    await threeBackups(bench);
    const recovery = recoveryOf(bench);
    await refusal(bench, recovery.restore({ backupId: '0123456789abcdef' }), { code: 'BACKUP_NOT_FOUND' });
    await refusal(bench, recovery.restore({ backupId: '../x' }), { code: 'BACKUP_ID_INVALID' });
    await refusal(bench, recovery.restore({ backupId: 'rollback-99' }), { code: 'NOT_FOUND' });
    await refusal(bench, recovery.restore({ seq: 1e6 }), { code: 'HISTORY_UNREACHABLE' });
    await refusal(bench, recovery.restore({ timeMs: 8e15 }), { code: 'HISTORY_UNREACHABLE' });
    await refusal(bench, recovery.restore({ backupId: 'latest' }, { scopes: [] }), { code: 'USAGE' });
  });

  test('where it is aborted, in whatever phase', async () => {
    const bench = await newBench();
    const [first] = await threeBackups(bench);
    const recovery = recoveryOf(bench);
    for (const phase of ['prepare', 'validate', 'rollback_point', 'restore', 'verify', 'swap']) {
      const controller = new AbortController();
      const onProgress = (progress: Progress) => {
        if (progress.phase === phase) controller.abort();
      };
      const restore = recovery.restore({ backupId: first!.id }, { signal: controller.signal, onProgress });
      await refusal(bench, restore, { code: 'ABORTED' });
    }
  });

  test.each(['changed', 'lost'] as const)('where an entry is %s on its way to the disk', async (how) => {
    const backend = createMemoryBackend();
    const bench = await newBench({ store: await openStore(backend) });
    const [first] = await threeBackups(bench);
    const commit = backend.commit.bind(backend);
    backend.commit = async (batch, options) => {
      const at = batch.segments?.length ? -1 : batch.operations.findIndex(({ key }) => name(key).endsWith('\0\x01123'));
      const { key } = batch.operations[at] ?? {};
      if (!key) return await commit(batch, options);
      // Its checksum fits: only the comparison with the backup can tell.
      const value = seal(key.subarray(PREFIX_BYTES), 0, utf8('forged'));
      const other = how === 'lost' ? [] : [{ type: 'put' as const, key, value }];
      await commit({ ...batch, operations: batch.operations.toSpliced(at, 1, ...other) }, options);
    };
    for (const verify of [true, false])
      await refusal(bench, recoveryOf(bench).restore({ backupId: first!.id }, { verify }), { code: 'RESTORE_FAILED' });
  });

  test('in a dry run, which tells what would happen', async () => {
    const bench = await newBench();
    const [first] = await threeBackups(bench);
    const before = await contentOf(bench.store);
    const dry = await recoveryOf(bench).restore({ backupId: first!.id }, { dryRun: true });
    expect(await contentOf(bench.store)).toEqual(before);
    expect(await bench.store.rollbackPoints()).toEqual([]);
    const { entriesRestored, entriesDeleted } = await recoveryOf(bench).restore({ backupId: first!.id });
    expect(dry).toMatchObject({ dryRun: true, entriesRestored, entriesDeleted, rollbackId: undefined });
    expect(entriesDeleted).toBe(41);
  });
});

test('progress goes through the phases in their order, and its percentage never goes back within one', async () => {
  const bench = await newBench();
  const [, , third] = await threeBackups(bench);
  const steps: Progress[] = [];
  await recoveryOf(bench).restore({ backupId: third!.id }, { onProgress: (progress) => steps.push(progress) });
  const phases = steps.map(({ phase }) => phase).filter((phase, i, all) => phase !== all[i - 1]);
  expect(phases).toEqual(['prepare', 'validate', 'rollback_point', 'restore', 'verify', 'swap']);
  for (const [i, { phase, done }] of steps.entries()) {
    const before = steps[i - 1];
    if (before?.phase === phase) expect(done).toBeGreaterThanOrEqual(before.done);
  }
});

test('what was restored to is told: the time asked for, or that of the change', async () => {
  const bench = await newBench();
  await threeBackups(bench);
  const { seq, timeMs } = bench.store.position();
  bench.clock.timeMs += 500;
  await set(bench.store, 'late/x', 'after it');
  const bySeq = await recoveryOf(bench).restore({ seq }, { dryRun: true });
  expect(bySeq).toMatchObject({ restoredToMs: timeMs, plan: { target: { seq, timeMs } } });
  const byTime = await recoveryOf(bench).restore({ timeMs: timeMs + 100 }, { dryRun: true });
  expect(byTime).toMatchObject({ restoredToMs: timeMs + 100, plan: { target: { seq } } });
});

test('one scope is restored without reading more of the archive than that', async () => {
  const store = await BACKENDS.memory();
  const value = (i: number) => Buffer.from(Array.from({ length: 3000 }, (_, n) => (i * 7919 + n * n * 31) % 251));
  const changes = Array.from({ length: 2000 }, (_, i) => ({
    scope: utf8(`scope ${String(Math.floor(i / 100)).padStart(2, '0')}`),
    key: utf8(`key ${i}`),
    value: value(i),
  }));
  await store.write(changes);
  const bench = await newBench({ store, compression: { type: 'none', level: 0 } });
  const { backup } = await bench.backups.create();
  const { repository } = bench.backups;
  let bytesRead = 0;
  const open = repository.get.bind(repository);
  repository.get = async (id) => {
    const source = await open(id);
    const read = source.read.bind(source);
    source.read = async (offset, length) => {
      bytesRead += length;
      return await read(offset, length);
    };
    return source;
  };
  await store.clear(utf8('scope 07'));
  const options = { scopes: [utf8('scope 07')], verify: false };
  const result = await recoveryOf(bench).restore({ backupId: backup.id }, options);
  expect(result.entriesRestored).toBe(100);
  // What is compared with it afterwards is read from the archive again: not more than that.
  expect(bytesRead).toBeLessThan(0.3 * backup.sizeBytes);
  expect((await store.get(utf8('scope 07'), utf8('key 750')))?.value).toEqual(new Uint8Array(value(750)));
});

test('without keeping the present state there is no rollback id', async () => {
  const bench = await newBench();
  const [first] = await threeBackups(bench);
  const result = await recoveryOf(bench).restore({ backupId: first!.id }, { backupCurrent: false });
  expect(result.rollbackId).toBeUndefined();
  expect(await recoveryOf(bench).rollbackPoints()).toEqual([]);
});

test('others that write while some scopes are restored lose nothing', async () => {
  const bench = await newBench({ backend: 'level' });
  const [first] = await threeBackups(bench);
  let written = 0;
  const onProgress = () => {
    void set(bench.store, `busy/${written}`, String(written++));
  };
  const recovery = recoveryOf(bench);
  await recovery.restore({ backupId: first!.id }, { scopes: [utf8('user')], onProgress });
  const content = await contentOf(bench.store);
  expect(written).toBeGreaterThan(3);
  for (let i = 0; i < written; i++) expect(content[`busy/${i}`]).toBe(String(i));
  expect(content['user/7']).toBe('first 7');
  await bench.store.close();
});

test('a state that was lost is restored into a new one, by id and by time', async () => {
  const bench = await newBench();
  const made = await threeBackups(bench);
  const store = await BACKENDS.memory({ clock: bench.clock });
  const lost = { ...bench, store };
  await recoveryOf(lost).restore({ backupId: made[2]!.id });
  expect(await contentOf(store)).toEqual(made[2]!.content);
  const second = await bench.backups.find(made[1]!.id);
  const byTime = await recoveryOf(lost).restore({ timeMs: second.position.timeMs });
  expect(await contentOf(store)).toEqual(made[1]!.content);
  expect(byTime.restoredToMs).toBe(second.position.timeMs);
});

test('a restore into another state leaves this one alone', async () => {
  const bench = await newBench();
  const [first] = await threeBackups(bench);
  const before = await contentOf(bench.store);
  const aside = await BACKENDS.memory();
  await recoveryOf(bench).restore({ backupId: first!.id }, {}, aside);
  expect(await contentOf(aside)).toEqual(first!.content);
  expect(await contentOf(bench.store)).toEqual(before);
});

test('a copy of a past state can be changed without touching anything, and is gone when it is closed', async () => {
  const bench = await newBench();
  const [first] = await threeBackups(bench);
  const before = await contentOf(bench.store);
  const copy = await recoveryOf(bench).copy({ backupId: first!.id });
  expect(await contentOf(copy.store)).toEqual(first!.content);
  await set(copy.store, 'user/0', 'changed in the copy');
  await copy.close();
  expect(await contentOf(bench.store)).toEqual(before);
  const { rollbackId } = await recoveryOf(bench).restore({ backupId: first!.id });
  const undone = await recoveryOf(bench).copy({ backupId: rollbackId! });
  expect(await contentOf(undone.store)).toEqual(before);
  await undone.close();
  expect(await contentOf(bench.store)).toEqual(first!.content);
  await expect(recoveryOf(bench).copy({ backupId: '0123456789abcdef' })).rejects.toMatchObject({
    code: 'BACKUP_NOT_FOUND',
  });
});

test('a state restored again and again takes no more room than its rollback points need', async () => {
  const directory = await newDirectory();
  const bench = await newBench({ store: await openStore(createLevelBackend({ directory, loadFromBytes: 0 })) });
  const [first] = await threeBackups(bench);
  const recovery = recoveryOf(bench);
  for (let i = 0; i < 50; i++) await recovery.restore({ backupId: first!.id });
  // The live state's, and those of three rollback points.
  await expect.poll(() => readdirSync(join(directory, 'tables')).length).toBe(4);
  await bench.store.close();
  expect(readdirSync(join(directory, 'tables'))).toHaveLength(4);
});

test('a backup of a state in a table file, changed since, is that of the same state without one, byte for byte', async () => {
  const archives = await Promise.all(
    [0, 1e9].map(async (loadFromBytes) => {
      const clock = new HandClock();
      const store = await openStore(createLevelBackend({ directory: await newDirectory(), loadFromBytes }), { clock });
      const bench = await newBench({ store });
      const [first] = await threeBackups(bench);
      await recoveryOf(bench).restore({ backupId: first!.id });
      for (let i = 0; i < 100; i++) await set(store, `user/${i * 3}`, i % 2 === 0 ? `since ${i}` : null);
      await set(store, 'zzz/x', 'since');
      const { backup } = await bench.backups.create();
      const bytes = await readFile(archivePath(bench, backup));
      await store.close();
      return chunksOf(bytes);
    }),
  );
  expect(archives[0]!.length).toBeGreaterThan(500);
  expect(archives[0]).toEqual(archives[1]);
});

test('a restore does what its dry run said, whatever happened since the backup', async () => {
  const path = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(9)).map(([scope, key]) => `${scope}/${key}`);
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constant('set' as const), path, fc.nat(5)) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('delete' as const), path, fc.nat(5)) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('backup' as const), path, fc.nat(5)) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('restore' as const), path, fc.nat(5)) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('restoreScope' as const), path, fc.nat(5)) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('undo' as const), path, fc.nat(5)) },
  );
  const deleted: number[] = [];
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 30 }), async (steps) => {
      const bench = await newBench();
      const recovery = recoveryOf(bench);
      const ids: string[] = [];
      for (const [what, where, number] of steps) {
        bench.clock.timeMs += 1000;
        const backupId = ids[number % Math.max(1, ids.length)];
        const points = await recovery.rollbackPoints();
        if (what === 'set') await set(bench.store, where, String(number));
        else if (what === 'delete') await set(bench.store, where, null);
        else if (what === 'backup') ids.push((await bench.backups.create({ incremental: number % 2 === 0 })).backup.id);
        else if (what === 'undo') {
          if (points.length > 0) await recovery.restore({ backupId: points[number % points.length]!.id });
        } else if (backupId !== undefined) {
          const options = what === 'restore' ? {} : { scopes: [utf8(where[0]!)] };
          const { entriesRestored, entriesDeleted } = await recovery.restore(
            { backupId },
            { ...options, dryRun: true },
          );
          expect(await recovery.restore({ backupId }, options)).toMatchObject({ entriesRestored, entriesDeleted });
          deleted.push(entriesDeleted);
        }
      }
    }),
    { numRuns: 40 },
  );
  expect(deleted.filter((count) => count > 0).length).toBeGreaterThan(10);
});

/** From the first chunk to the index: what comes before and after names the backup and its state. */
function chunksOf(archive: Buffer): Buffer {
  const chunkAt = archive.indexOf('LSFC', 0, 'latin1');
  return archive.subarray(chunkAt, archive.indexOf('LSFI', chunkAt, 'latin1'));
}
