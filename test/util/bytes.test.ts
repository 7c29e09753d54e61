import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareBytes, equalBytes } from '../../src/util/bytes.js';

/** Alike as long as they go, mostly, and both below and above the length from which on they are compared otherwise. */
const pair = fc
  .tuple(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 3 }), fc.uint8Array({ maxLength: 3 }))
  .map(([common, a, b]): [Uint8Array, Uint8Array] => [Buffer.concat([common, a]), new Uint8Array([...common, ...b])]);

test('bytes are ordered and told apart as memcmp does', () => {
  fc.assert(
    fc.property(pair, ([a, b]) => {
      const order = Buffer.compare(a, b);
      expect(Math.sign(compareBytes(a, b))).toBe(order);
      expect(equalBytes(a, b)).toBe(order === 0);
    }),
  );
});
