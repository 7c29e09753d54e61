import { expect, test } from 'vitest';
import { RecoveryOrchestrator } from '../../src/recovery/orchestrator.js';
import { type Timeline, timelineOf } from '../../src/recovery/timeline.js';
import { printable } from '../../src/util/bytes.js';
import { archivePath, flip, newBench, set } from '../backup/harness.js';

const MINUTE_MS = 60_000;
const total = ({ buckets }: Timeline) => buckets.reduce((sum, { sets, deletes }) => sum + sets + deletes, 0);
const sum = ({ byScope }: { byScope: readonly number[] }) => byScope.reduce((a, b) => a + b, 0);

/** Three sets, a full backup; a minute later a delete and an incremental one; a minute later a set in another scope. */
async function threeMinutes() {
  const bench = await newBench();
  const { store, backups, clock } = bench;
  for (const key of ['a', 'b', 'c']) await set(store, `busy/${key}`, 'x');
  const full = (await backups.create()).backup;
  clock.timeMs += MINUTE_MS;
  await set(store, 'busy/a', null);
  const incremental = (await backups.create({ incremental: true })).backup;
  clock.timeMs += MINUTE_MS;
  await set(store, 'quiet/a', 'x');
  return { ...bench, full, incremental };
}

test('counts each change once, by time and scope, whether history, archives or both have it', async () => {
  const { store, backups } = await threeMinutes();
  const timeline = await timelineOf({ backups, store });
  expect(timeline.scopes.map(printable)).toEqual(['busy', 'quiet']);
  const busy = timeline.buckets.filter((bucket) => sum(bucket) > 0);
  expect(busy.map(({ sets, deletes, byScope }) => ({ sets, deletes, byScope }))).toEqual([
    { sets: 3, deletes: 0, byScope: [3, 0, 0] },
    { sets: 0, deletes: 1, byScope: [1, 0, 0] },
    { sets: 1, deletes: 0, byScope: [0, 1, 0] },
  ]);
  expect(busy.map(({ startMs }) => startMs - timeline.fromMs)).toEqual([0, MINUTE_MS, 2 * MINUTE_MS]);
  // What only a full backup has, it does not have change by change.
  expect(total(await timelineOf({ backups }))).toBe(1);
});

test('tells for each stretch from where its last moment can be had', async () => {
  const { store, backups, full, incremental } = await threeMinutes();
  const { buckets } = await timelineOf({ backups, store });
  expect(buckets[0]!.way).toMatchObject({ from: 'backups', chain: [full.id] });
  expect(buckets.find(({ deletes }) => deletes > 0)!.way).toMatchObject({
    from: 'backups',
    chain: [full.id, incremental.id],
    sizeBytes: full.sizeBytes + incremental.sizeBytes,
  });
  expect(buckets.at(-1)!.way).toEqual({ from: 'history' });
});

test('what a damaged archive had is left out, and said to be', async () => {
  const bench = await threeMinutes();
  await flip(archivePath(bench, bench.incremental), 0.4);
  const timeline = await timelineOf({ backups: bench.backups });
  expect(total(timeline)).toBe(0);
  const told = [...timeline.warnings, ...timeline.backups.map(({ damage }) => damage)].join();
  expect(told).toMatch(/damage|checksum/i);
});

test('restores are marked, and long spans are counted in longer stretches', async () => {
  const { store, backups, clock, full } = await threeMinutes();
  const recovery = new RecoveryOrchestrator({ store, backups, clock });
  await recovery.restore({ backupId: full.id });
  clock.timeMs += 100 * 24 * 60 * MINUTE_MS;
  await set(store, 'busy/z', 'x');
  const timeline = await timelineOf({ backups, store });
  expect(timeline.restores).toMatchObject([{ description: `backup ${full.id}` }]);
  expect(timeline.buckets.length).toBeLessThanOrEqual(240);
  expect(timeline.bucketMs).toBe(12 * 60 * MINUTE_MS);
  expect(total(timeline)).toBe(6);
});

test('nothing at all is a timeline too, and one that is stopped says so', async () => {
  const { store, backups } = await newBench();
  expect(await timelineOf({ backups, store })).toMatchObject({ buckets: [], scopes: [] });
  await expect(timelineOf({ backups, store }, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: 'ABORTED',
  });
});
