import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packNames, unpackNames } from '../../src/channel/names.js';

test('names of any bytes and lengths come out of the block as they went in', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 100 })), (names) => {
      expect(unpackNames(structuredClone(packNames(names))).map((name) => [...name])).toEqual(names.map((n) => [...n]));
    }),
  );
});
