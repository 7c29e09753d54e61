import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Views } from '../../src/util/views.js';

test('a view shows the part of the block that is asked for, whichever were asked for before', () => {
  const views = new Views();
  const blocks = [1, 2].map((seed) => Uint8Array.from({ length: 10_000 }, (_, i) => (i * seed) >> 3));
  const part = fc.tuple(fc.nat({ max: 1 }), fc.nat({ max: 9000 }), fc.nat({ max: 500 }));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 50 }), (parts) => {
      for (const [block, at, length] of [...parts, ...parts])
        expect(Buffer.compare(views.of(blocks[block]!, at, length), blocks[block]!.subarray(at, at + length))).toBe(0);
    }),
    { numRuns: 100 },
  );
});

test('a kept view shows what is in the block now', () => {
  const [views, block] = [new Views(), new Uint8Array(100)];
  views.of(block, 8, 4);
  block.fill(7);
  expect([...views.of(block, 8, 4)]).toEqual([7, 7, 7, 7]);
});

test('a view of a block that has moved is never handed out again', () => {
  const views = new Views();
  const block = new Uint8Array(100);
  const before = views.of(block, 64, 8);
  const after = views.of(new Uint8Array(structuredClone(block.buffer, { transfer: [block.buffer] })), 64, 8);
  expect([before.length, after.length]).toEqual([0, 8]);
});
