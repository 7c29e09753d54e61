import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { DirectoryRepository } from '../../src/backup/directory-repository.js';
import { BackupManager } from '../../src/backup/manager.js';
import type { EncryptionKey } from '../../src/backup/types.js';
import { RecoveryOrchestrator } from '../../src/recovery/orchestrator.js';
import { archivePath, BACKENDS, type Bench, contentOf, flip, newBench, newDirectory, OPTIONS, set } from './harness.js';

const raw = (byte: number): EncryptionKey => ({ kind: 'raw', bytes: new Uint8Array(32).fill(byte) });

/** A full backup, three on it in a row, and one that branches off after the first. */
async function chains(bench: Bench) {
  const made: { id: string; content: Record<string, string> }[] = [];
  const backUp = async () => {
    bench.clock.timeMs += 1000;
    const { backup } = await bench.backups.create({ incremental: true, description: `number ${made.length}` });
    made.push({ id: backup.id, content: await contentOf(bench.store) });
  };
  for (let i = 0; i < 50; i++) await set(bench.store, `user/${i}`, `first ${i}`);
  await backUp();
  for (let round = 1; round < 4; round++) {
    bench.clock.timeMs += 1000;
    for (let i = 0; i < 20; i++) await set(bench.store, `user/${i * round}`, `round ${round} ${i}`);
    await set(bench.store, `user/${round}`, null);
    await set(bench.store, `new/${round}`, 'x');
    await backUp();
  }
  const recovery = new RecoveryOrchestrator(bench);
  await recovery.restore({ backupId: made[1]!.id });
  await set(bench.store, 'branch/x', 'y');
  await backUp();
  return made;
}

async function restored(backups: BackupManager, id: string): Promise<Record<string, string>> {
  const store = await BACKENDS.memory();
  await new RecoveryOrchestrator({ store, backups }).restore({ backupId: id });
  return await contentOf(store);
}

async function expectAllRestore(backups: BackupManager, made: Awaited<ReturnType<typeof chains>>): Promise<void> {
  for (const { id, content } of made) expect(await restored(backups, id)).toEqual(content);
  expect((await backups.validateAll()).filter(({ isValid }) => !isValid)).toEqual([]);
}

const namesIn = async ({ directory }: Bench) =>
  (await readdir(directory)).filter((name) => name !== 'catalog.note').sort();

describe('compacting', () => {
  test('makes a full one of the same moment and id, and what rests on it goes on resting on it', async () => {
    const bench = await newBench();
    const made = await chains(bench);
    await bench.backups.pin(made[1]!.id);
    const before = await bench.backups.find(made[1]!.id);
    const result = await bench.backups.compact(made[1]!.id);
    expect(result).toMatchObject({
      chain: [made[0]!.id, made[1]!.id],
      rewritten: [made[2]!.id, made[4]!.id, made[3]!.id],
      warnings: [
        expect.stringMatching(
          /no longer tell of the moments between 2026-01-01T00:00:00.000Z and 2026-01-01T00:00:02.000Z/,
        ),
      ],
    });
    const { id, createdAtMs, position, description } = before;
    expect(result.backup).toMatchObject({ id, createdAtMs, position, description, isIncremental: false, pinned: true });
    await expectAllRestore(bench.backups, made);
    await expect(bench.backups.delete(made[0]!.id)).resolves.toBeDefined();
    await expectAllRestore(bench.backups, made.slice(1));
    expect((await bench.backups.create({ incremental: true })).backup.parentId).toBe(made[4]!.id);
    expect(await namesIn(bench)).toHaveLength(6);
  });

  test('a full one stays as it is, and says so', async () => {
    const bench = await newBench();
    const { id } = (await chains(bench))[0]!;
    const before = await bench.backups.find(id);
    const result = await bench.backups.compact(id);
    expect(result).toMatchObject({ chain: [id], rewritten: [], warnings: [`Backup ${id} is a full one already.`] });
    expect((await bench.backups.find(id)).sha256).toBe(before.sha256);
  });

  test.each([0, 1, 2])('changes nothing where archive %i, below or above it, is damaged', async (index) => {
    const bench = await newBench();
    const made = await chains(bench);
    await flip(archivePath(bench, made[index]!));
    const before = await bench.backups.list();
    await expect(bench.backups.compact(made[1]!.id)).rejects.toMatchObject({
      code: expect.stringMatching(/^BACKUP_(DAMAGED|CHAIN_BROKEN)$/),
      message: expect.stringContaining(made[index]!.id),
    });
    expect(await bench.backups.list()).toEqual(before);
  });

  test('that is stopped changes nothing', async () => {
    const bench = await newBench();
    const made = await chains(bench);
    const [before, names] = [await bench.backups.list(), await namesIn(bench)];
    const controller = new AbortController();
    const options = { signal: controller.signal, onProgress: () => controller.abort() };
    await expect(bench.backups.compact(made[3]!.id, options)).rejects.toMatchObject({ code: 'ABORTED' });
    expect([await bench.backups.list(), await namesIn(bench)]).toEqual([before, names]);
    await expectAllRestore(bench.backups, made);
  });
});

describe('rekeying', () => {
  const withKey = ({ backups, store }: Bench, key?: EncryptionKey) =>
    new BackupManager({
      repository: backups.repository,
      options: { ...OPTIONS, ...(key && { encryptionKey: async () => key }) },
      store,
    });
  const statuses = async (rekeying: ReturnType<BackupManager['rekey']>) =>
    new Set((await rekeying).map(({ status }) => status));

  test('goes from no key to one, to a passphrase, and back to none; each time only the present key opens them', async () => {
    const bench = await newBench();
    const made = await chains(bench);
    const [first, second] = [raw(1), { kind: 'passphrase', passphrase: 'correct horse' } as const];

    expect(await statuses(withKey(bench, first).rekey(undefined))).toEqual(new Set(['rekeyed']));
    await expectAllRestore(withKey(bench, first), made);
    expect((await withKey(bench).list()).every(({ sealed }) => sealed)).toBe(true);
    expect(await statuses(withKey(bench, first).rekey(undefined))).toEqual(new Set(['unchanged']));

    expect(await statuses(withKey(bench, second).rekey(undefined, { oldKey: first }))).toEqual(new Set(['rekeyed']));
    await expectAllRestore(withKey(bench, second), made);
    expect((await withKey(bench, first).list()).every(({ sealed }) => sealed)).toBe(true);

    expect(await statuses(withKey(bench).rekey(undefined, { oldKey: second, newKey: null }))).toEqual(
      new Set(['rekeyed']),
    );
    await expectAllRestore(withKey(bench), made);
    expect((await withKey(bench, second).create({ incremental: true })).backup.parentId).toBe(made[4]!.id);
  });

  test('of one backup takes along what it shares a chain with, and nothing else', async () => {
    const bench = await newBench();
    const made = await chains(bench);
    const { id: other } = (await bench.backups.create()).backup;
    const results = await bench.backups.rekey(made[2]!.id, { newKey: raw(1) });
    expect(new Set(results.map(({ backupId }) => backupId))).toEqual(new Set(made.map(({ id }) => id)));
    const sealed = (await bench.backups.list()).filter((record) => record.sealed).map(({ id }) => id);
    expect(sealed).not.toContain(other);
    expect(sealed).toHaveLength(5);
  });

  test('leaves a chain as it is where one of it is damaged, or where no key opens it, and does the others', async () => {
    const bench = await newBench({ encryptionKey: async () => raw(1) });
    const made = await chains(bench);
    const { id: other } = (await bench.backups.create()).backup;
    const none = await bench.backups.rekey(undefined, { oldKey: raw(2), newKey: raw(3) });
    expect(new Set(none.map(({ error }) => error?.code))).toEqual(new Set(['BACKUP_KEY']));
    await expectAllRestore(bench.backups, made);

    await flip(archivePath(bench, made[1]!));
    const results = await bench.backups.rekey(undefined, { newKey: raw(3) });
    expect(results.find(({ backupId }) => backupId === other)?.status).toBe('rekeyed');
    const failed = results.filter(({ status }) => status === 'failed');
    expect(failed.map(({ error }) => error?.message.includes(made[1]!.id))).toEqual(Array(5).fill(true));
  });

  test('needs no more keys than it is given, whatever has become of that of the configuration', async () => {
    const bench = await newBench({ encryptionKey: async () => raw(1) });
    const made = await chains(bench);
    const lost = new BackupManager({
      repository: new DirectoryRepository(bench.directory),
      options: { ...OPTIONS, encryptionKey: () => Promise.reject(new Error('no such variable')) },
    });
    await rm(join(bench.directory, 'catalog.note'));
    expect(await statuses(lost.rekey(undefined, { oldKey: raw(1), newKey: raw(2) }))).toEqual(new Set(['rekeyed']));
    await expectAllRestore(withKey(bench, raw(2)), made);
  });

  test('never makes a swapped parent look right', async () => {
    const bench = await newBench();
    const made = await chains(bench);
    const { backup } = await bench.backups.create();
    await rm(archivePath(bench, made[0]!));
    const bytes = await new DirectoryRepository(bench.directory).get(backup.id);
    await writeFile(archivePath(bench, made[0]!), await bytes.read(0, bytes.sizeBytes));
    await bytes.close();
    const [result] = await bench.backups.rekey(made[1]!.id, { newKey: raw(1) });
    expect(result).toMatchObject({ status: 'failed' });
  });
});

test('a process killed while it replaces archives leaves all the old ones or all the new ones', async () => {
  const bench = await newBench();
  const made = await chains(bench);
  const program = fileURLToPath(new URL('rekey-loop.js', import.meta.url));
  for (let run = 0; run < 6; run++) {
    const child = spawn(process.execPath, [program, bench.directory, JSON.stringify(OPTIONS)]);
    let failure = '';
    child.stderr.on('data', (chunk) => {
      failure += chunk;
    });
    await once(child.stdout, 'data');
    await delay(3 * run);
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(failure).toBe('');
    // Before anybody has cleaned up after it, and without the lock.
    const key = (await bench.backups.list())[0]!.encrypted ? raw(1) : undefined;
    const looking = new BackupManager({
      repository: new DirectoryRepository(bench.directory),
      options: { ...OPTIONS, ...(key && { encryptionKey: async () => key }) },
    });
    expect((await looking.list()).map(({ encrypted }) => encrypted)).toEqual(Array(5).fill(key !== undefined));
    for (const { id, content } of made) expect(await restored(looking, id)).toEqual(content);
  }
  await new DirectoryRepository(bench.directory, { lockTimeoutMs: 5000 }).exclusive(async () => undefined);
  expect((await namesIn(bench)).every((name) => name.endsWith('.lsb'))).toBe(true);
});

test('what was staged and never counted is removed, and a note of it that was damaged counts for nothing', async () => {
  const directory = await newDirectory();
  const repository = new DirectoryRepository(directory);
  const id = '0123456789abcdef';
  await repository.put(id, (sink) => sink.write(Buffer.from('old')));
  await writeFile(join(directory, `${id}.lsb.new`), 'half');
  await writeFile(join(directory, 'replacing.note'), Buffer.from([0xff, 0]));
  expect((await repository.list())[0]!.sizeBytes).toBe(3);
  await repository.exclusive(async () => undefined);
  expect((await readdir(directory)).filter((name) => name.includes('.lsb'))).toEqual([`${id}.lsb`]);
});
