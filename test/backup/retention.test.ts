import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideRetention } from '../../src/backup/retention.js';
import type { BackupRecord, RetentionPolicy } from '../../src/backup/types.js';
import { child, record } from './records.js';

const NONE: RetentionPolicy = {
  maxBackups: 0,
  maxAgeSeconds: 0,
  keepHourly: 0,
  keepDaily: 0,
  keepWeekly: 0,
  keepMonthly: 0,
};
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 0, 1);

const keptOf = (records: BackupRecord[], policy: Partial<RetentionPolicy>, nowMs = records.at(-1)!.createdAtMs) =>
  decideRetention(records, { ...NONE, ...policy }, nowMs).flatMap(({ id, keep }) => (keep ? id : []));
const reasonsOf = (records: BackupRecord[], policy: Partial<RetentionPolicy>, nowMs = records.at(-1)!.createdAtMs) =>
  Object.fromEntries(decideRetention(records, { ...NONE, ...policy }, nowMs).map(({ id, reason }) => [id, reason]));

const everyDay = (count: number) => Array.from({ length: count }, (_, i) => record(`d${i}`, START + i * DAY));

describe('the plain limits', () => {
  test('without any limit everything stays', () => {
    expect(keptOf(everyDay(5), {})).toHaveLength(5);
  });

  test('max_backups keeps the newest', () => {
    const records = everyDay(5);
    expect(keptOf(records, { maxBackups: 2 })).toEqual(['d3', 'd4']);
    expect(reasonsOf(records, { maxBackups: 2 }).d2).toBe('it is not among the newest 2');
  });

  test('max_backup_age removes what is older, never the newest', () => {
    const records = everyDay(5);
    expect(keptOf(records, { maxAgeSeconds: 2 * 86_400 })).toEqual(['d2', 'd3', 'd4']);
    expect(keptOf(records, { maxAgeSeconds: 1 }, START + 99 * DAY)).toEqual(['d4']);
    expect(reasonsOf(records, { maxAgeSeconds: 86_400 }).d0).toBe('it is older than 1 day');
  });
});

describe('what is kept beyond them', () => {
  test('a backup that a kept one rests on', () => {
    const full = record('full', START);
    const one = child('one', START + DAY, full);
    const two = child('two', START + 2 * DAY, one);
    expect(keptOf([full, one, two], { maxBackups: 1 })).toEqual(['full', 'one', 'two']);
    expect(reasonsOf([full, one, two], { maxBackups: 1 }).one).toBe('two, which is kept, rests on it');
  });

  test('a pinned one', () => {
    const records = [record('old', START, { pinned: true }), ...everyDay(3)];
    expect(reasonsOf(records, { maxBackups: 1 }).old).toBe('it is pinned');
  });

  test('the newest sound full one, where every newer one is incremental or damaged', () => {
    const full = record('full', START);
    const broken = record('broken', START + DAY, { damage: 'its header does not decode' });
    const strange = child('strange', START + 2 * DAY, record('gone', 1));
    expect(reasonsOf([full, broken, strange], { maxBackups: 1 })).toEqual({
      full: 'it is the newest sound full backup',
      broken: expect.stringContaining('damaged'),
      strange: 'it is the newest',
    });
  });

  test('the last one of each of the newest days, weeks and months that have any', () => {
    const records = Array.from({ length: 24 * 60 }, (_, i) =>
      record(`h${String(i).padStart(4, '0')}`, START + i * HOUR),
    );
    expect(keptOf(records, { maxBackups: 1, keepHourly: 3 })).toEqual(['h1437', 'h1438', 'h1439']);
    expect(keptOf(records, { maxBackups: 1, keepDaily: 3 })).toEqual(['h1391', 'h1415', 'h1439']);
    // 1 March 2026 is a Sunday, so the weeks end at 22 February and 1 March.
    expect(keptOf(records, { maxBackups: 1, keepWeekly: 2 })).toEqual(['h1271', 'h1439']);
    expect(keptOf(records, { maxBackups: 1, keepMonthly: 9 })).toEqual(['h0743', 'h1415', 'h1439']);
    expect(reasonsOf(records, { maxBackups: 1, keepWeekly: 2 }).h1271).toBe('it is the last of the week 2026-W08');
  });

  test('days without a backup are not counted', () => {
    const records = [record('a', START), record('b', START + 40 * DAY), record('c', START + 80 * DAY)];
    expect(keptOf(records, { maxBackups: 1, keepDaily: 3 })).toEqual(['a', 'b', 'c']);
  });
});

describe('whatever the records and the policy', () => {
  const policies = fc.record({
    maxBackups: fc.nat(6),
    maxAgeSeconds: fc.nat(30 * 86_400),
    keepHourly: fc.nat(3),
    keepDaily: fc.nat(3),
    keepWeekly: fc.nat(2),
    keepMonthly: fc.nat(2),
  });
  const shapes = fc.array(
    fc.record({ gapMs: fc.nat(3 * DAY), parent: fc.nat(20), full: fc.boolean(), pinned: fc.boolean(), bad: fc.nat(9) }),
    { minLength: 1, maxLength: 25 },
  );
  const build = (shape: typeof shapes extends fc.Arbitrary<infer T> ? T : never): BackupRecord[] => {
    const records: BackupRecord[] = [];
    for (const [index, { gapMs, parent, full, pinned, bad }] of shape.entries()) {
      const at = (records.at(-1)?.createdAtMs ?? START) + gapMs + 1;
      const fields = { pinned, ...(bad === 0 && { damage: 'flipped' }) };
      const under = records[parent % (records.length || 1)];
      records.push(full || !under ? record(`r${index}`, at, fields) : child(`r${index}`, at, under, fields));
    }
    return records;
  };

  test('nothing that is needed goes, and every decision has a reason', () => {
    fc.assert(
      fc.property(shapes, policies, fc.nat(60 * DAY), (shape, policy, laterMs) => {
        const records = build(shape);
        const decisions = decideRetention(records, policy, records.at(-1)!.createdAtMs + laterMs);
        const kept = new Set(decisions.flatMap(({ id, keep }) => (keep ? id : [])));
        expect(decisions.map(({ id }) => id)).toEqual(records.map(({ id }) => id));
        expect(decisions.every(({ reason }) => reason.length > 0)).toBe(true);
        for (const { id, parentId, pinned, damage } of records) {
          if (kept.has(id) && parentId !== undefined) expect(kept).toContain(parentId);
          if (pinned || damage !== undefined) expect(kept).toContain(id);
        }
        const sound = records.filter(({ damage }) => damage === undefined);
        const newestFull = sound.findLast(({ isIncremental }) => !isIncremental);
        if (newestFull) expect(kept).toContain(newestFull.id);
        if (sound.length > 0) expect(kept).toContain(sound.at(-1)!.id);
      }),
    );
  });

  test('a stricter policy keeps nothing more', () => {
    fc.assert(
      fc.property(shapes, policies, (shape, policy) => {
        const records = build(shape);
        const loose = keptOf(records, { ...policy, maxBackups: policy.maxBackups + 2 });
        if (policy.maxBackups > 0) expect(loose).toEqual(expect.arrayContaining(keptOf(records, policy)));
      }),
    );
  });

  test('cleaning up twice removes nothing more the second time', () => {
    fc.assert(
      fc.property(shapes, policies, (shape, policy) => {
        const records = build(shape);
        const nowMs = records.at(-1)!.createdAtMs;
        const kept = keptOf(records, policy, nowMs);
        const rest = records.filter(({ id }) => kept.includes(id));
        expect(keptOf(rest, policy, nowMs)).toEqual(kept);
      }),
    );
  });
});
