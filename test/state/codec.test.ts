import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeValue, encodeValue } from '../../src/state/codec.js';
import { fromExactJson, toExactJson } from '../../src/state/exact-json.js';
import { MessagePackWriter } from '../../src/state/msgpack.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const invalidUtf8 = fc.uint8Array({ min: 128, max: 191, minLength: 1, maxLength: 5 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

/** What `decodeValue` can give, so that encoding and decoding it again must give the same. */
const luaValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.boolean(),
    fc.double(),
    fc.integer(),
    fc.maxSafeInteger(),
    int64.filter((n) => !Number.isSafeInteger(Number(n))),
    fc.string({ unit: 'binary' }),
    invalidUtf8,
    fc.array(tie('value'), { maxLength: 40 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), tie('value'), { noNullPrototype: true }),
    fc
      .uniqueArray(fc.tuple(fc.oneof(fc.integer(), fc.boolean()), tie('value')), { selector: ([k]) => k, minLength: 1 })
      .map((e) => new Map(e as [unknown, unknown][])),
  ),
})).value;

test('every value comes back as it was', () => {
  fc.assert(
    fc.property(luaValue, (value) => {
      expect(decodeValue(encodeValue(value))).toStrictEqual(value);
    }),
  );
});

test('every stored value is exact through JSON text', () => {
  fc.assert(
    fc.property(luaValue, (value) => {
      const stored = encodeValue(value);
      expect(hex(fromExactJson(JSON.parse(JSON.stringify(toExactJson(stored)))))).toBe(hex(stored));
    }),
  );
});

test('floats and integers of the same size stay apart in JSON', () => {
  const writer = new MessagePackWriter();
  writer.array(7);
  for (const f of [1, 1e300, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0.5]) writer.float(f);
  const stored = writer.finish();
  const json = toExactJson(stored);
  expect(json).toEqual([
    { $float: '1' },
    { $float: '1e+300' },
    { $float: 'nan' },
    { $float: 'inf' },
    { $float: '-inf' },
    { $float: '-0' },
    0.5,
  ]);
  expect(hex(fromExactJson(json))).toBe(hex(stored));
  expect(decodeValue(stored)).toEqual([
    1,
    1e300,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    -0,
    0.5,
  ]);
});

test('integers take the shortest form and keep all 64 bits', () => {
  const edges = [
    0,
    127,
    128,
    255,
    256,
    65535,
    65536,
    2 ** 32 - 1,
    2 ** 32,
    Number.MAX_SAFE_INTEGER,
    -1,
    -32,
    -33,
    -128,
    -129,
    -32768,
    -32769,
    -(2 ** 31),
    -(2 ** 31) - 1,
    Number.MIN_SAFE_INTEGER,
  ];
  for (const n of edges) expect(decodeValue(encodeValue(n))).toBe(n);
  for (const n of [2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)]) expect(decodeValue(encodeValue(n))).toBe(n);
  expect(encodeValue(127).length).toBe(1);
  expect(encodeValue(-32).length).toBe(1);
  expect(encodeValue(2 ** 32).length).toBe(9);
  expect(decodeValue(encodeValue(5n))).toBe(5);
});

test('a string that another encoder wrote as text though it is none comes back as its bytes', () => {
  expect(decodeValue(new Uint8Array([0xa2, 0xff, 0xfe]))).toEqual(new Uint8Array([0xff, 0xfe]));
  expect(toExactJson(new Uint8Array([0xa2, 0xff, 0xfe]))).toEqual({ $bytes: '//4=' });
});

test('bytes that are text are stored as text', () => {
  expect(decodeValue(encodeValue(Buffer.from('é')))).toBe('é');
});

test('undefined fields are left out, holes are nil', () => {
  expect(decodeValue(encodeValue({ a: undefined, b: 1 }))).toEqual({ b: 1 });
  const holes: unknown[] = [];
  holes[0] = 1;
  holes.length = 2;
  expect(decodeValue(encodeValue([1, undefined]))).toEqual([1, null]);
  expect(decodeValue(encodeValue(holes))).toEqual([1, null]);
});

test('a key named __proto__ is a key', () => {
  const value = decodeValue(encodeValue(JSON.parse('{"__proto__": {"polluted": true}}')));
  expect(Object.keys(value as object)).toEqual(['__proto__']);
  expect((value as { polluted?: boolean }).polluted).toBeUndefined();
});

test('keys that begin with $ are not taken for a tag', () => {
  const stored = encodeValue({ $int: '5' });
  expect(toExactJson(stored)).toEqual({ $table: [['$int', '5']] });
  expect(decodeValue(fromExactJson(toExactJson(stored)))).toEqual({ $int: '5' });
});

describe('what cannot be stored is named by its path', () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  test.each([
    [{ settings: { cb: () => 1 } }, 'value.settings.cb: cannot store a function.'],
    [[1, Symbol('s')], 'value[2]: cannot store a symbol.'],
    [{ when: new Date() }, 'value.when: cannot store a Date.'],
    [{ n: 2n ** 64n }, 'value.n: 18446744073709551616 does not fit a 64-bit integer.'],
    ['\ud800', 'value: the string has half a surrogate pair.'],
    [new Map([[Number.NaN, 1]]), 'value: NaN cannot be a key.'],
    [cycle, /^value\.self\.self.*: nested deeper than 1000, or contains itself\.$/],
  ])('%o', (value, message) => {
    expect(() => encodeValue(value)).toThrow(expect.objectContaining({ code: 'VALUE_INVALID' }));
    expect(() => encodeValue(value)).toThrow(message);
  });
});

test.each([
  '{"$int": "x"}',
  '{"$int": "9223372036854775808"}',
  '{"$float": "x"}',
  '{"$float": ""}',
  '{"$what": "x"}',
  '{"$bytes": 5}',
  '{"$table": [[1]]}',
  '{"$table": [[null, 1]]}',
  '9007199254740992',
])('JSON that is not an exact value is refused: %s', (json) => {
  expect(() => fromExactJson(JSON.parse(json))).toThrow(expect.objectContaining({ code: 'VALUE_INVALID' }));
});

test('bytes that are not one whole value are refused, never crash', () => {
  const refused = (bytes: Uint8Array) => {
    try {
      return decodeValue(bytes) === undefined;
    } catch (error) {
      return (error as { code?: string }).code === 'VALUE_INVALID';
    }
  };
  expect(refused(new Uint8Array(0))).toBe(true);
  expect(refused(new Uint8Array([1, 2]))).toBe(true);
  expect(refused(new Uint8Array([0xdd, 0xff, 0xff, 0xff, 0xff]))).toBe(true);
  expect(refused(new Uint8Array(5000).fill(0x91))).toBe(true);
  fc.assert(
    fc.property(luaValue, fc.nat(), (value, cut) => {
      const bytes = encodeValue(value);
      expect(refused(bytes.subarray(0, cut % bytes.length))).toBe(true);
    }),
  );
});
