import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeKey, encodeKey, prefixEnd, scopePrefix } from '../../src/state/key.js';
import { compareBytes, utf8 } from '../../src/util/bytes.js';

const bytes = fc.uint8Array({ minLength: 1, maxLength: 12, max: 3 }).map((b) => b.map((x) => (x === 3 ? 255 : x)));
const hex = (b: Uint8Array) => Buffer.from(b).toString('hex');

test('every scope and key comes back from its raw key', () => {
  fc.assert(
    fc.property(bytes, bytes, (scope, key) => {
      const back = decodeKey(encodeKey(scope, key))!;
      expect([hex(back.scope), hex(back.key)]).toEqual([hex(scope), hex(key)]);
    }),
  );
});

test('raw keys are ordered by scope, then by key', () => {
  fc.assert(
    fc.property(bytes, bytes, bytes, bytes, (s1, k1, s2, k2) => {
      const order = compareBytes(s1, s2) || compareBytes(k1, k2);
      expect(Math.sign(compareBytes(encodeKey(s1, k1), encodeKey(s2, k2)))).toBe(Math.sign(order));
    }),
  );
});

test('a separator inside a scope or key makes no two entries the same', () => {
  expect(hex(encodeKey(utf8('a:b'), utf8('c')))).not.toBe(hex(encodeKey(utf8('a'), utf8('b:c'))));
  expect(hex(encodeKey(utf8('a\0'), utf8('c')))).not.toBe(hex(encodeKey(utf8('a'), utf8('\0c'))));
});

test('bytes that are no raw key are refused', () => {
  expect(decodeKey(utf8('no terminator'))).toBeUndefined();
  expect(decodeKey(new Uint8Array([65, 0, 2, 66]))).toBeUndefined();
});

test('a prefix range ends where the next scope begins', () => {
  expect(prefixEnd(new Uint8Array([1, 0xff]))).toEqual(new Uint8Array([2]));
  expect(prefixEnd(new Uint8Array([0xff]))).toBeUndefined();
  const end = prefixEnd(scopePrefix(utf8('a')))!;
  expect(compareBytes(encodeKey(utf8('a'), new Uint8Array([255, 255])), end)).toBeLessThan(0);
  expect(compareBytes(encodeKey(utf8('a\0'), utf8('x')), end)).toBeGreaterThan(0);
});

test('the end of a prefix leaves the prefix as it was, also a Buffer', () => {
  const prefix = Buffer.from([1, 2]);
  expect([...prefixEnd(prefix)!]).toEqual([1, 3]);
  expect([...prefix]).toEqual([1, 2]);
});
