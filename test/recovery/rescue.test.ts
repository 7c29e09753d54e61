import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { BackupManager } from '../../src/backup/manager.js';
import { RecoveryOrchestrator } from '../../src/recovery/orchestrator.js';
import { type RescueResult, rescue } from '../../src/recovery/rescue.js';
import { archivePath, BACKENDS, type Bench, contentOf, newBench, OPTIONS, set } from '../backup/harness.js';

interface Rescued {
  result: RescueResult;
  content: Record<string, string>;
  told: string[];
}

async function rescued(bench: Bench, id: string): Promise<Rescued> {
  const into = await BACKENDS.memory();
  const told: string[] = [];
  const onEntry = ({ scope, key }: { scope: Uint8Array; key: Uint8Array }) =>
    told.push(`${Buffer.from(scope)}/${Buffer.from(key)}`);
  const result = await rescue(bench.backups, id, { into, onEntry });
  return { result, content: await contentOf(into), told };
}

/** Values that hardly compress, so that there are several chunks. */
const value = (n: number) =>
  Array.from({ length: 60 }, (_, i) => ((n * 7919 + i * 104_729) % 99_991).toString(36)).join('');

/** A full backup of some chunks, and two on it, the second after going back to a moment between them. */
async function chain(bench: Bench) {
  const changes = Array.from({ length: 5000 }, (_, n) => ({
    scope: Buffer.from('s'),
    key: Buffer.from(`k${String(n).padStart(5, '0')}`),
    value: Buffer.from(value(n)),
  }));
  await bench.store.write(changes);
  const ids = [(await bench.backups.create()).backup.id];
  await set(bench.store, 's/k00000', 'changed');
  await set(bench.store, 's/k00001', null);
  const { seq } = bench.store.position();
  await set(bench.store, 's/k00002', 'given up');
  ids.push((await bench.backups.create({ incremental: true })).backup.id);
  await new RecoveryOrchestrator(bench).restore({ seq });
  await set(bench.store, 't/new', 'last');
  ids.push((await bench.backups.create({ incremental: true })).backup.id);
  return { ids, content: await contentOf(bench.store) };
}

async function damageChunk(path: string, index: number): Promise<void> {
  const bytes = await readFile(path);
  let at = -1;
  for (let i = 0; i <= index; i++) at = bytes.indexOf('LSFC', at + 1);
  bytes[at + 100]! ^= 1;
  await writeFile(path, bytes);
}

test('of a sound chain everything is rescued, and told entry by entry', async () => {
  const bench = await newBench();
  const { ids, content } = await chain(bench);
  for (const id of ids.slice(2)) {
    const found = await rescued(bench, id);
    expect(found.content).toEqual(content);
    expect(found.told).toEqual(Object.keys(content));
    expect(found.result).toMatchObject({ isComplete: true, entryCount: 5000, warnings: [] });
    expect(
      found.result.archives.map(({ rescuedCount, recordCount, lost }) => [rescuedCount - recordCount!, lost]),
    ).toEqual([
      [0, []],
      [0, []],
    ]);
  }
});

test('a damaged chunk of the base costs its entries, which are named, and no others', async () => {
  const bench = await newBench();
  const { ids, content } = await chain(bench);
  await damageChunk(archivePath(bench, { id: ids[0]! }), 1);
  const { result, content: left } = await rescued(bench, ids[2]!);
  const [base] = result.archives;
  expect(base).toMatchObject({
    id: ids[0],
    recordCount: 5000,
    problems: [expect.stringContaining('chunk 2'), expect.anything()],
  });
  const [range, ...more] = base!.lost!;
  expect(more).toEqual([]);
  const [from, to] = [range!.from!, range!.to!].map(({ key }) => `s/${Buffer.from(key)}`) as [string, string];
  const lost = Object.keys(content).filter((name) => !(name in left));
  expect(lost.length).toBeGreaterThan(100);
  // A value that only goes on in the damaged chunk, or begins in it, is lost with it.
  expect(Math.abs(lost.length - range!.records)).toBeLessThanOrEqual(1);
  expect(lost.every((name) => name >= from && name < to)).toBe(true);
  for (const [name, text] of Object.entries(left)) expect(content[name]).toBe(text);
  expect(result.isComplete).toBe(false);
});

test('where changes are lost, that is said, since entries may be older then', async () => {
  const bench = await newBench();
  const { ids } = await chain(bench);
  await damageChunk(archivePath(bench, { id: ids[2]! }), 0);
  const { result, content } = await rescued(bench, ids[2]!);
  expect(result.warnings).toEqual([`Entries may be older than the backup: not all changes of ${ids[2]} can be read.`]);
  expect(content['t/new']).toBeUndefined();
  expect(Object.keys(content)).toHaveLength(5000);
});

test('an archive that was cut, one without its parent, and one of which nothing is left', async () => {
  const bench = await newBench();
  const { ids } = await chain(bench);
  const base = archivePath(bench, { id: ids[0]! });
  await truncate(base, (await readFile(base)).length >> 1);
  const cut = await rescued(bench, ids[1]!);
  expect(cut.result.archives.map(({ id }) => id)).toEqual(ids.slice(0, 2));
  expect(cut.result.archives[0]!.rescuedCount).toBeGreaterThan(1000);
  expect(cut.result.archives[0]!.lost).toBeUndefined();
  await rm(base);
  const orphan = await rescued(bench, ids[1]!);
  expect(orphan.content).toEqual({ 's/k00000': 'changed', 's/k00002': 'given up' });
  expect(orphan.result).toMatchObject({ isComplete: false, warnings: [expect.stringContaining(`${ids[0]}, which`)] });
  await writeFile(base, 'nothing of it');
  const nothing = await rescued(bench, ids[0]!);
  expect(nothing.result).toMatchObject({ entryCount: 0, isComplete: false, archives: [{ rescuedCount: 0 }] });
});

test('without the key of an encrypted one there is nothing to rescue, and that is no damage', async () => {
  const key = { kind: 'raw', bytes: new Uint8Array(32).fill(1) } as const;
  const bench = await newBench({ encryptionKey: async () => key });
  await set(bench.store, 'a/b', 'c');
  const { backup } = await bench.backups.create();
  const blind = new BackupManager({ repository: bench.backups.repository, options: OPTIONS });
  await expect(rescued({ ...bench, backups: blind }, backup.id)).rejects.toMatchObject({ code: 'BACKUP_KEY' });
  expect((await rescued(bench, backup.id)).content).toEqual({ 'a/b': 'c' });
});
