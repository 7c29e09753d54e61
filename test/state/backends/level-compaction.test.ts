import { Level } from 'level';
import { expect, test } from 'vitest';
import { settleCompaction } from '../../../src/state/backends/level-compaction.js';
import { temporaryDirectory } from '../temporary.js';

const HEADING = `                               Compactions
Level  Files Size(MB) Time(sec) Read(MB) Write(MB)
--------------------------------------------------
`;
const AT_REST = `${HEADING}  0        3        5         0        0         0\n  1        5       10         0        0         0\n`;
const MANY_TABLES = `${HEADING}  0        4        5         0        0         0\n`;
const LARGE_LEVEL = `${HEADING}  1        5        9         0        0         0\n  2       60      101         0        0         0\n`;
const ENOUGH_BYTES = 2 ** 40;

function database(...stats: string[]) {
  const asked: string[] = [];
  return {
    asked,
    getProperty: (name: string) => {
      asked.push(name);
      return stats[Math.min(asked.length, stats.length) - 1]!;
    },
  };
}

test('it waits until level 0 has few tables and no other level is too large', async () => {
  const one = database(MANY_TABLES, LARGE_LEVEL, MANY_TABLES, AT_REST);
  await settleCompaction(one, ENOUGH_BYTES);
  expect(one.asked.length).toBe(4);
});

test('it does not wait where nothing was written, nor where nothing is to be done', async () => {
  for (const [stats, bytes] of [
    [MANY_TABLES, 0],
    [AT_REST, ENOUGH_BYTES],
    [HEADING, ENOUGH_BYTES],
  ] as const) {
    const one = database(stats);
    await settleCompaction(one, bytes);
    expect(one.asked.length).toBe(1);
  }
});

test('it gives up where it takes much longer than what was written is worth', async () => {
  await settleCompaction(database(MANY_TABLES), 1 << 20);
});

test('LevelDB tells its levels in the form that is read here', async () => {
  const level = new Level(await temporaryDirectory()) as Level & { getProperty(name: string): string };
  await level.open();
  expect(level.getProperty('leveldb.stats')).toBe(HEADING);
  await level.close();
});
