import { expect, test } from 'vitest';
import { readSegment, SegmentBuilder } from '../../src/state/history.js';
import { encodeKey, scopePrefix } from '../../src/state/key.js';
import { seal } from '../../src/state/layout.js';
import { utf8 } from '../../src/util/bytes.js';

const scope = scopePrefix(utf8('s'));
const raw = encodeKey(utf8('s'), utf8('k'));

test('what goes into a segment comes out, however it grows', () => {
  const builder = new SegmentBuilder(2 ** 33, 0);
  const values = [1, 40, 5000, 70].map((length) => new Uint8Array(length).fill(length));
  for (const value of values) builder.put(scope, utf8('k'), 2 ** 40 + value.length, value);
  builder.delete(scope, utf8('k'), 2 ** 41);
  const records = readSegment(builder.finish());
  expect(records.map(({ seq }) => seq - 2 ** 33)).toEqual([0, 1, 2, 3, 4]);
  expect(records.map(({ timeMs }) => timeMs)).toEqual([...values.map(({ length }) => 2 ** 40 + length), 2 ** 41]);
  for (const [i, value] of values.entries()) {
    expect(Buffer.from(records[i]!.body).equals(value)).toBe(true);
    expect(Buffer.from(records[i]!.raw).equals(raw)).toBe(true);
  }
  expect(records[4]).toMatchObject({ kind: 'delete' });
});

test('segments of version 1, which held sealed values, are still read', () => {
  const builder = new SegmentBuilder(7);
  builder.put(scope, utf8('k'), 1, seal(raw, 7, utf8('value')));
  const segment = builder.finish();
  segment.bytes[0] = 1;
  expect(Buffer.from(readSegment(segment)[0]!.body).toString()).toBe('value');
});
