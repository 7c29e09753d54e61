import { expect, test, vi } from 'vitest';
import { byteSize, capability, count, seconds } from '../../src/cli/arguments.js';
import { byteCount, columns, counted, fitted, localTime, shortened, span, widthOf } from '../../src/cli/format.js';
import { progressLine } from '../../src/cli/progress.js';
import { valueText } from '../../src/cli/value-text.js';

test('columns are as wide as their widest cell, colours not counted', () => {
  expect(
    columns([
      ['a', 'bb', 'c'],
      ['\u001b[31maaa\u001b[39m', 'b', 'c'],
    ]),
  ).toBe('a    bb  c\n\u001b[31maaa\u001b[39m  b   c');
});

test('what takes two columns of a terminal, or none, is counted as that', () => {
  expect(['研究', '🚀', 'e\u0301', '\u001b[31mx\u001b[39m', '├─ █…'].map(widthOf)).toEqual([4, 2, 1, 1, 5]);
  expect(
    columns([
      ['研究', '1'],
      ['abcde', '2'],
    ]),
  ).toBe('研究   1\nabcde  2');
});

test('what is too wide is cut, and its colours end', () => {
  expect(shortened('abcdef', 6)).toBe('abcdef');
  expect(shortened('abcdef', 5)).toBe('abcd…');
  expect(shortened('研究者', 5)).toBe('研究…');
  expect(shortened('研究者', 4)).toBe('研…');
  expect(shortened('\u001b[31mabcdef\u001b[39m ghi', 4)).toBe('\u001b[31mabc…\u001b[39m');
});

test('a column is shortened so that the rows fit the terminal; off a terminal nothing is', () => {
  const rows = [
    ['x'.repeat(300), '12', 'b'],
    ['short', '1', 'bar'],
  ];
  for (const width of [20, 40, 60])
    expect(
      Math.max(
        ...columns(fitted(rows, 0, width))
          .split('\n')
          .map(widthOf),
      ),
    ).toBe(Math.max(width, 12 + 2 + 2 + 2 + 3));
  expect(fitted(rows, 0, undefined)).toEqual(rows);
  vi.stubGlobal('process', { ...process, stdout: { columns: 0 } });
  expect(fitted(rows, 0)).toEqual(rows);
  vi.unstubAllGlobals();
  expect(columns(fitted([['a', 'a long description']], -1, 15))).toBe('a  a long desc…');
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1258291, '1.2 MiB'],
  [150 * 1024 ** 2, '150 MiB'],
  [3 * 1024 ** 4, '3.0 TiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(byteCount(bytes)).toBe(text);
});

test.each([
  [-5, '0 s'],
  [59_999, '59 s'],
  [35 * 60_000, '35 min'],
  [7_200_000, '2 h'],
  [5 * 86_400_000, '5 d'],
])('%d ms are %s', (milliseconds, text) => {
  expect(span(milliseconds)).toBe(text);
});

test('counts have thousands and the right number', () => {
  expect(counted(1, 'entry', 'entries')).toBe('1 entry');
  expect(counted(1204, 'entry', 'entries')).toBe('1,204 entries');
});

test('local times are read back as the same moment', () => {
  const nowMs = Date.UTC(2026, 10, 23, 4, 5, 6);
  expect(Date.parse(localTime(nowMs).replace(' ', 'T'))).toBe(nowMs);
});

test.each([
  ['512', 512],
  ['64K', 65_536],
  ['64MiB', 67_108_864],
  ['1g', 1_073_741_824],
])('the size %s', (text, bytes) => {
  expect(byteSize(text)).toBe(bytes);
});

test.each(['', '-1', '1.5M', 'M', '1T', '99999999999999999999'])('%j is no size', (text) => {
  expect(() => byteSize(text)).toThrow('not a size');
});

test('numbers of seconds, counts and capabilities are checked', () => {
  expect([seconds('0.5'), count('10'), capability('file', ['process'])]).toEqual([0.5, 10, ['process', 'file']]);
  for (const text of ['', 'x', '-1', '1e99', 'Infinity']) expect(() => seconds(text)).toThrow('number of seconds');
  for (const text of ['', '1.5', '-1', '99999999999999999']) expect(() => count(text)).toThrow('whole number');
  expect(() => capability('net')).toThrow('file, process');
});

test('values are told as JSON, and what JSON has no word for in the plainest other way', () => {
  expect(valueText({ a: [1, 'x', true, null], 'b c': {} })).toBe('{"a": [1, "x", true, null], "b c": {}}');
  expect(valueText([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 2n ** 62n])).toBe(
    '[nan, inf, -inf, -0.0, 4611686018427387904]',
  );
  expect(
    valueText(
      new Map<unknown, unknown>([
        [1, 'one'],
        ['k', Uint8Array.of(0xff, 0x41)],
      ]),
    ),
  ).toBe('{[1]: "one", "k": "\\xffA"}');
  expect(valueText({ list: [1, 2], empty: [] }, 10)).toBe('{\n  "list": [\n    1,\n    2\n  ],\n  "empty": []\n}');
});

test('the progress line fits every width and tells share, rate and what is left', () => {
  const progress = { operation: 'backup', phase: 'writing', done: 500, total: 1000, percent: 50, message: '' } as const;
  expect(progressLine(progress, 1000, 80)).toBe('writing  ██████████░░░░░░░░░░  50 %  500/s  1 s left');
  for (const width of [0, 1, 10, 40])
    expect(progressLine(progress, 1000, width).length).toBeLessThanOrEqual(Math.max(0, width - 1));
  const unknown = { operation: 'backup', phase: 'reading', done: 10, message: '' } as const;
  expect(progressLine(unknown, 0, 80)).toBe('reading  10,000/s');
});
