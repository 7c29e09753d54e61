import { expect, test } from 'vitest';
import type { BackupRecord } from '../../src/backup/types.js';
import { drawChains } from '../../src/cli/chains.js';

/** `b<a` is a backup b that rests on a; made in the order given. */
const draw = (...backups: string[]) => {
  const records = backups.map((text, i) => {
    const [id, parentId] = text.split('<');
    return { id, parentId, createdAtMs: i } as BackupRecord;
  });
  return drawChains(records).map(({ rails, record }) => rails + record.id);
};

test('a chain is one rail, each line resting on the one above', () => {
  expect(draw('a', 'b<a', 'c<b')).toEqual(['a', '├─ b', '└─ c']);
});

test('chains follow each other in the order they were begun', () => {
  expect(draw('a', 'x', 'b<a', 'y<x')).toEqual(['a', '└─ b', 'x', '└─ y']);
});

test('what branches off is drawn below the backup it rests on; the rail leads to the newest', () => {
  expect(draw('a', 'b<a', 'c<b', 'd<a', 'e<d')).toEqual(['a', '│  ├─ b', '│  └─ c', '├─ d', '└─ e']);
  expect(draw('a', 'b<a', 'c<b', 'd<b', 'e<c')).toEqual(['a', '├─ b', '│  └─ d', '├─ c', '└─ e']);
});

test('a backup whose parent is not there begins a rail of its own', () => {
  expect(draw('b<gone', 'c<b')).toEqual(['b', '└─ c']);
});

test('a backup that seems to rest on itself is drawn all the same, and what rests on it', () => {
  expect(draw('a', 'b<b', 'c<b')).toEqual(['a', 'b', '└─ c']);
  expect(draw('a', 'b<c', 'c<b', 'd<a', 'e<c')).toEqual(['a', '└─ d', 'b', 'c', '└─ e']);
});

test('a chain of thousands is drawn', () => {
  const ids = Array.from({ length: 5000 }, (_, i) => (i === 0 ? '0' : `${i}<${i - 1}`));
  expect(draw(...ids)).toHaveLength(5000);
});
