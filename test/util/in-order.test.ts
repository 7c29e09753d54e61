import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { mapInOrder } from '../../src/util/in-order.js';

/** A promise that ends after so many turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await setImmediate();
}

it('gives results in the order of the items, whichever is ready first', async () => {
  const work = async (n: number) => {
    await turns(n);
    return n * 10;
  };
  const results: number[] = [];
  for await (const result of mapInOrder([5, 1, 4, 2, 3], 3, work)) results.push(result);
  expect(results).toEqual([50, 10, 40, 20, 30]);
});

it('works on as many at once as it may, and no more', async () => {
  let running = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++running);
    await turns(2);
    running--;
  };
  for await (const _ of mapInOrder(Array(20).fill(0), 4, work));
  expect(most).toBe(4);
});

it('ends with the first failure, and later ones do no harm', async () => {
  const work = async (n: number) => {
    await turns(1);
    if (n >= 2) throw new Error(`item ${n}`);
    return n;
  };
  const seen: number[] = [];
  const run = async () => {
    for await (const n of mapInOrder([0, 1, 2, 3, 4], 3, work)) seen.push(n);
  };
  await expect(run()).rejects.toThrow('item 2');
  expect(seen).toEqual([0, 1]);
  await turns(3);
});
