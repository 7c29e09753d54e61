import { expect, test } from 'vitest';
import { ReadAhead } from '../../src/channel/read-ahead.js';
import { utf8 } from '../../src/util/bytes.js';

const SCOPE = utf8('s');
const key = (n: number) => utf8(String(n).padStart(6, '0'));

/** Reads keys none of which is known, from a host that has all numbers as keys; how many it asked to come along with each. */
function limits(ahead: ReadAhead, keys: readonly number[]): number[] {
  return keys.map((n) => {
    const asked = ahead.missed(SCOPE, key(n));
    if (asked === undefined) return 0;
    const isNext = asked.after === undefined || Number(Buffer.from(asked.after).toString()) === n - 1;
    ahead.brought(isNext ? key(n + asked.limit) : undefined);
    return asked.limit;
  });
}

test('the first key of a list brings others along, and the one after them twice as many', () => {
  const ahead = new ReadAhead();
  ahead.listed(SCOPE, key(10));
  expect(limits(ahead, [10, 43, 108])).toEqual([32, 64, 128]);
  expect(limits(ahead, [10])).toEqual([0]);
});

test('keys one after the other are noticed without a list', () => {
  expect(limits(new ReadAhead(), [5, 6, 7, 40])).toEqual([0, 0, 32, 64]);
});

test('keys in any order, or with gaps, are mostly asked for alone', () => {
  const gaps = limits(
    new ReadAhead(),
    Array.from({ length: 1000 }, (_, i) => 10 * i),
  );
  expect(gaps.filter((limit) => limit > 0).length).toBeLessThan(25);
  const any = limits(
    new ReadAhead(),
    Array.from({ length: 1000 }, (_, i) => (i * 7919) % 10_007),
  );
  expect(any.filter((limit) => limit > 0).length).toBeLessThan(25);
});

test('the same key in another scope begins nothing', () => {
  const ahead = new ReadAhead();
  ahead.listed(SCOPE, key(1));
  expect(ahead.missed(utf8('other'), key(1))).toBe(undefined);
});
