import { expect, test } from 'vitest';
import { chainOf, childrenOf, recordsById, soundChainOf } from '../../src/backup/chain.js';
import type { BackupRecord } from '../../src/backup/types.js';
import { child, record } from './records.js';

const full = record('f', 1);
const first = child('i1', 2, full);
const second = child('i2', 3, first);

const problemsOf = (head: BackupRecord, ...records: BackupRecord[]) =>
  chainOf(head, recordsById([head, ...records])).problems;

test('a chain begins with its full backup', () => {
  const chain = soundChainOf(second, recordsById([second, full, first]));
  expect(chain.map(({ id }) => id)).toEqual(['f', 'i1', 'i2']);
});

test('a parent that is not there is named', () => {
  expect(problemsOf(second, full)).toEqual([{ id: 'i1', message: expect.stringContaining('not there') }]);
});

test('another archive in the place of the parent is noticed', () => {
  const swapped = { ...first, sha256: 'of something else' };
  expect(problemsOf(second, full, swapped)).toEqual([
    { id: 'i1', message: 'i1 is not the archive that i2 was made from.' },
  ]);
});

test('a chain that leads back to itself ends and is refused', () => {
  const a = child('a', 1, record('b', 1));
  const b = child('b', 1, a);
  const loop = chainOf(a, recordsById([a, { ...b, sha256: a.parent!.sha256 }]));
  expect(loop.problems[0]?.message).toContain('rests on itself');
});

test('a parent that is newer than what rests on it is refused', () => {
  const late = { ...first, position: { ...first.position, seq: 99 } };
  expect(problemsOf(second, full, late)[0]?.message).toContain('newer');
});

test('an unreadable archive anywhere below breaks the chain and is the one that is named', () => {
  const damaged = { ...full, damage: 'its header does not decode' };
  const records = recordsById([damaged, first, second]);
  expect(() => soundChainOf(second, records)).toThrow(
    expect.objectContaining({ code: 'BACKUP_CHAIN_BROKEN', subject: 'f' }),
  );
  expect(() => soundChainOf(damaged, records)).toThrow(
    expect.objectContaining({ code: 'BACKUP_DAMAGED', subject: 'f' }),
  );
});

test('the children of a backup are those that rest on it directly', () => {
  expect(childrenOf('f', [full, first, second])).toEqual([first]);
});
