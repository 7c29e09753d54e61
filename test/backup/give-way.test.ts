import { expect, test } from 'vitest';
import { givingWay } from '../../src/backup/give-way.js';

async function* pages(...of: string[]) {
  yield* of;
}

/** The pages that came and the rests between them, where page `i` takes `tookMs[i]` and `changes[i]` changes are made meanwhile. */
async function run(tookMs: readonly number[], changes: readonly number[]): Promise<(string | number)[]> {
  const seen: (string | number)[] = [];
  let [seq, nowMs] = [7, 0];
  const time = { nowMs: () => nowMs, rest: async (ms: number) => void seen.push(ms) };
  let at = 0;
  for await (const page of givingWay(pages('a', 'b', 'c'), () => seq, time)) {
    seen.push(page);
    nowMs += tookMs[at] ?? 0;
    seq += changes[at++] ?? 0;
  }
  return seen;
}

test('where nobody writes, a backup does not rest', async () => {
  expect(await run([10, 10, 10], [0, 0, 0])).toEqual(['a', 'b', 'c']);
});

test('after a page during which somebody wrote, it rests in proportion to the time the page took', async () => {
  expect(await run([10, 20, 10], [3, 0, 1])).toEqual(['a', 15, 'b', 'c', 15]);
});

test('no rest is long', async () => {
  expect(await run([10_000], [1])).toEqual(['a', 100, 'b', 'c']);
});
