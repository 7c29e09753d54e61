import { describe, expect, test } from 'vitest';
import { momentArgument, optionsOf, parseTime, stringArgument } from '../../src/host/arguments.js';

const kinds = { incremental: 'boolean', tags: 'strings', limit: 'count', scopes: 'byteStrings' } as const;

describe('options', () => {
  test('known options of the right kind pass', () => {
    expect(optionsOf('f', 1, { incremental: true, tags: ['a'], limit: 3 }, kinds)).toEqual({
      incremental: true,
      tags: ['a'],
      limit: 3,
    });
  });

  test('an absent table means no options', () => {
    expect(optionsOf('f', 1, undefined, kinds)).toEqual({});
    expect(optionsOf('f', 1, null, kinds)).toEqual({});
  });

  test('an empty Lua table is also an empty list', () => {
    expect(optionsOf('f', 1, { tags: {} }, kinds)).toEqual({ tags: [] });
  });

  test('a string that is not text stays bytes where bytes are meant', () => {
    expect(optionsOf('f', 1, { scopes: ['a', new Uint8Array([255])] }, kinds).scopes).toEqual([
      new Uint8Array([97]),
      new Uint8Array([255]),
    ]);
  });

  test.each([
    [
      { incremantal: true },
      "bad argument #2 to 'f' (unknown option 'incremantal'; there are incremental, tags, limit, scopes)",
    ],
    [{ incremental: 1 }, "bad argument #2 to 'f' (option 'incremental' must be a boolean)"],
    [{ tags: ['a', 1] }, "bad argument #2 to 'f' (option 'tags' must be an array of strings)"],
    [{ limit: -1 }, "bad argument #2 to 'f' (option 'limit' must be a whole number)"],
    [['a'], "bad argument #2 to 'f' (options are named, as in { limit = 1 })"],
    ['text', "bad argument #2 to 'f' (table expected)"],
    [
      { constructor: true },
      "bad argument #2 to 'f' (unknown option 'constructor'; there are incremental, tags, limit, scopes)",
    ],
  ])('%j is refused as Lua would word it', (given, message) => {
    expect(() => optionsOf('f', 2, given, kinds)).toThrow(message);
  });
});

describe('moments', () => {
  test('Unix seconds with a fraction keep their millisecond', () => {
    for (const ms of [1_700_000_000_123, 1_799_999_999_999, 1_234_567_890_001]) expect(parseTime(ms / 1000)).toBe(ms);
  });

  test('a fraction of a millisecond never reaches into the next one', () => {
    expect(parseTime(1_700_000_000.0019)).toBe(1_700_000_000_001);
  });

  test('ISO-8601 with a zone', () => {
    expect(parseTime('2026-01-02T03:04:05.006Z')).toBe(Date.UTC(2026, 0, 2, 3, 4, 5, 6));
    expect(parseTime('2026-01-02T03:04:05+01:00')).toBe(Date.UTC(2026, 0, 2, 2, 4, 5));
  });

  test.each([
    ['2026-01-02T03:04:05Z', { timeMs: Date.UTC(2026, 0, 2, 3, 4, 5) }],
    [1.5, { timeMs: 1500 }],
    ['seq:4711', { seq: 4711 }],
    ['latest', { backupId: 'latest' }],
    ['3f9a', { backupId: '3f9a' }],
    ['0123456789012345', { backupId: '0123456789012345' }],
    ['rollback-7', { backupId: 'rollback-7' }],
  ])('%j names a moment', (given, moment) => {
    expect(momentArgument('restore_to', 1, given)).toEqual(moment);
  });

  test.each([
    'yesterday',
    '',
    '12',
    'seq:',
    'seq:-1',
    '../x',
    Number.NaN,
    Number.POSITIVE_INFINITY,
    true,
    undefined,
    '2026-13-99',
  ])('%j is no moment', (given) => {
    expect(() => momentArgument('restore_to', 1, given)).toThrow("bad argument #1 to 'restore_to'");
  });
});

test('a missing string says what it got instead', () => {
  expect(() => stringArgument('delete_backup', 1, undefined)).toThrow('string expected, got no value');
  expect(() => stringArgument('delete_backup', 1, {})).toThrow('string expected, got table');
});
