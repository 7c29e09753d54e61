import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ByteReader, MAX_VARINT_BYTES, writeVarint } from '../../src/backup/varint.js';

it('numbers up to 2^53 - 1 come back', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (number) => {
      const bytes = new Uint8Array(MAX_VARINT_BYTES);
      const end = writeVarint(bytes, 0, number);
      const reader = new ByteReader(bytes.subarray(0, end));
      expect(reader.varint()).toBe(number);
      expect(reader.left).toBe(0);
    }),
  );
});

it.each([0, 1, 127, 128, 16_383, 16_384, 2 ** 32, Number.MAX_SAFE_INTEGER])('%d comes back', (number) => {
  const bytes = new Uint8Array(MAX_VARINT_BYTES);
  expect(new ByteReader(bytes.subarray(0, writeVarint(bytes, 0, number))).varint()).toBe(number);
});

it.each([
  ['cut short', [0x80]],
  ['above 2^53 - 1', Array(8).fill(0xff)],
  ['without an end', Array(2000).fill(0x80)],
])('a number that is %s is damage', (_, bytes) => {
  expect(() => new ByteReader(Uint8Array.from(bytes)).varint()).toThrow(/a number is/);
});
