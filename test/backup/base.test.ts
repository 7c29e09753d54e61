import { describe, expect, test } from 'vitest';
import { chooseBase } from '../../src/backup/base.js';
import type { BackupRecord } from '../../src/backup/types.js';
import { child, record } from './records.js';

// One sequence number a millisecond: f holds 100, i the changes to 200, g is full again at 300.
const f = record('f', 100);
const i = child('i', 200, f);
const g = record('g', 300);
const limits = { fullIntervalSeconds: 0, maxChainLength: 50 };
const now = { storeId: 'store', historyStart: 0, restoredFrom: undefined };

const choose = (moment: Partial<Parameters<typeof chooseBase>[0]>, records: BackupRecord[], atMostSeq?: number) =>
  chooseBase({ ...now, ...moment }, records, limits, 1000, atMostSeq);

test('the newest backup of this state is the parent, from its own last change on', () => {
  expect(choose({}, [f, i])).toMatchObject({ parent: { id: 'i' }, chain: [f, i], fromSeq: 200, fromTimeMs: 200 });
  expect(choose({}, [f, i, g])).toMatchObject({ parent: { id: 'g' }, chain: [g] });
  expect(choose({}, [f, record('x', 900, { position: { storeId: 'other', seq: 900, timeMs: 900 } })])).toMatchObject({
    parent: { id: 'f' },
  });
});

describe('after a whole restore', () => {
  const restoredFrom = { backupId: 'f', seq: 400, timeMs: 405 };

  test('the restored backup is the parent, from the restore on', () => {
    expect(choose({ restoredFrom }, [f, i, g])).toMatchObject({ parent: { id: 'f' }, fromSeq: 400, fromTimeMs: 405 });
  });

  test('a backup made since then is', () => {
    const since = child('s', 500, f);
    expect(choose({ restoredFrom }, [f, i, g, since])).toMatchObject({ parent: { id: 's' }, fromSeq: 500 });
  });

  test('without the restored backup there is no parent', () => {
    expect(choose({ restoredFrom }, [g])).toEqual({ reason: 'the restored backup f is no longer there' });
  });
});

describe('after going back to a moment', () => {
  test('only backups of moments up to it count', () => {
    expect(choose({}, [f, i, g], 250)).toMatchObject({ parent: { id: 'i' } });
  });

  test('before all of them there is no parent', () => {
    expect(choose({}, [f, i, g], 50)).toEqual({ reason: 'the state was taken back to before its earlier backups' });
  });
});

test('where the history no longer reaches back to the parent, there is none', () => {
  expect(choose({ historyStart: 200 }, [f, i])).toMatchObject({ parent: { id: 'i' } });
  expect(choose({ historyStart: 201 }, [f, i])).toEqual({
    reason: expect.stringContaining('no longer all in the history'),
  });
});
