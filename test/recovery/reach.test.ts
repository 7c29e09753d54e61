import { expect, test } from 'vitest';
import { reachOf } from '../../src/recovery/reach.js';
import { child, record } from '../backup/records.js';

const full = record('a', 1000);
const second = child('b', 2000, full);
const third = child('c', 3000, second);
const live = (fromMs: number) => ({ storeId: 'store', history: { fromMs, toMs: 9000 } });

test('a chain and the history that goes on from it leave no gap', () => {
  expect(reachOf([full, second, third], live(2500))).toEqual({ fromMs: 1000, toMs: 9000, gaps: [], unusable: [] });
});

test('what neither tells of is a gap, with its reason', () => {
  expect(reachOf([full, third], live(5000))).toMatchObject({
    gaps: [
      { fromMs: 1000, toMs: 5000, reason: 'no backup tells of the changes then, and the history kept begins later' },
    ],
    unusable: [{ id: 'c', reason: 'b, which c rests on, is not there.' }],
  });
});

test('a damaged backup is named where only it would tell', () => {
  const damaged = { ...second, damage: 'Its checksum does not fit.' };
  expect(reachOf([full, damaged, third], live(3500))).toEqual({
    fromMs: 1000,
    toMs: 9000,
    gaps: [{ fromMs: 1000, toMs: 3500, reason: 'only backup b tells of it, and that cannot be used' }],
    unusable: [
      { id: 'b', reason: 'Its checksum does not fit.' },
      { id: 'c', reason: 'Its checksum does not fit.' },
    ],
  });
});

test('backups of another state do not count, but where there is none to go by', () => {
  const foreign = record('x', 100, { position: { storeId: 'other', seq: 1, timeMs: 100 } });
  expect(reachOf([foreign, full], live(1000))).toMatchObject({ fromMs: 1000, gaps: [] });
  expect(reachOf([foreign], undefined)).toMatchObject({ fromMs: 100, toMs: 100 });
});

test('without history, each full backup is a moment of its own; encrypted ones without their key are none', () => {
  const [later, sealed] = [record('d', 4000), record('e', 5000, { sealed: true })];
  expect(reachOf([full, later, sealed], { storeId: 'store' })).toMatchObject({
    fromMs: 1000,
    toMs: 4000,
    gaps: [{ fromMs: 1000, toMs: 4000 }],
    unusable: [{ id: 'e', reason: 'It is encrypted with another key.' }],
  });
  expect(reachOf([], undefined)).toEqual({ gaps: [], unusable: [] });
});
