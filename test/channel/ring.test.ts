import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRingMemory, type RingBatch, RingReader, RingWriter } from '../../src/channel/ring.js';
import { encodeKey } from '../../src/state/key.js';
import { hashOfName, hashOfRaw } from '../../src/util/name-hash.js';

const never = () => {
  throw new Error('the ring was full');
};

function ring(wake: () => void = never) {
  const memory = createRingMemory();
  return { writer: new RingWriter(memory, wake), reader: new RingReader(memory) };
}

const plain = ({ scope, key, value }: Omit<Taken, 'timeMs' | 'hash'>) =>
  [scope, key, value].map((part) => part && Buffer.from(part).toString('hex'));

interface Taken {
  scope: Uint8Array;
  key: Uint8Array;
  value: Uint8Array | null;
  hash: number;
  timeMs: number;
}

function changesOf(batch: RingBatch): Taken[] {
  const changes: Taken[] = [];
  while (batch.next()) {
    const { bytes, scope, keyAt, keyBytes, valueBytes, hash, timeMs } = batch;
    const valueAt = keyAt + keyBytes;
    const value = valueBytes === 0 ? null : bytes.subarray(valueAt, valueAt + valueBytes);
    changes.push({ scope, key: bytes.subarray(keyAt, valueAt), value, hash, timeMs });
  }
  return changes;
}

function takeAll(reader: RingReader): Taken[] {
  const taken: Taken[] = [];
  for (let next = reader.take(reader.written); next !== undefined; next = reader.take(reader.written))
    taken.push(...changesOf(next));
  return taken;
}

const put = (writer: RingWriter, scope: Uint8Array, key: Uint8Array, value: Uint8Array | null): boolean =>
  writer.put(scope, key, hashOfName(scope, key), value);

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const change = fc.record({
  // Few scopes, so that the same one often comes twice in a row.
  scope: fc.oneof(fc.constantFrom(Uint8Array.of(0), Uint8Array.of(1, 2)), bytes(1, 20)),
  key: bytes(1, 40),
  value: fc.oneof(
    fc.constant(null),
    bytes(1, 40),
    fc.nat(200_000).map((n) => new Uint8Array(n + 1).fill(n)),
  ),
});

test('what is taken is what was put, in order, however often the ring goes round', () => {
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 3 }), { maxLength: 30 }), (rounds) => {
      const taken: Taken[] = [];
      const take = () => void taken.push(...takeAll(reader));
      const { writer, reader } = ring(take);
      for (const round of rounds) {
        taken.length = 0;
        for (const { scope, key, value } of round) expect(put(writer, scope, key, value)).toBe(true);
        take();
        expect(taken.map(plain)).toEqual(round.map(plain));
        for (const { scope, key, hash } of taken) expect(hash).toBe(hashOfRaw(encodeKey(scope, key)));
        expect(reader.pending).toBe(0);
      }
    }),
    { numRuns: 40 },
  );
});

test.each([262_000, 262_144, 262_145, 700_000, 1 << 20, 3_000_001])(
  'a value of %i bytes, in pieces where it is large, comes whole and between its neighbours',
  (length) => {
    const taken: Taken[] = [];
    const { writer, reader } = ring(() => void taken.push(...takeAll(reader)));
    const value = new Uint8Array(length).map((_, i) => i ^ (i >> 8) ^ (i >> 16));
    const [scope, other] = [Uint8Array.of(1, 2, 3), Uint8Array.of(4)];
    expect(put(writer, other, Uint8Array.of(1), Uint8Array.of(1))).toBe(true);
    for (let round = 0; round < 3; round++) expect(put(writer, scope, Uint8Array.of(2), value)).toBe(true);
    expect(put(writer, scope, Uint8Array.of(3), Uint8Array.of(3))).toBe(true);
    taken.push(...takeAll(reader));
    expect(taken.map(({ key }) => key[0])).toEqual([1, 2, 2, 2, 3]);
    for (const change of taken.slice(1)) expect(change.scope).toEqual(scope);
    for (const change of taken.slice(1, 4)) expect(Buffer.compare(change.value!, value)).toBe(0);
    expect(taken.every(({ scope: s, key, hash }) => hash === hashOfName(s, key))).toBe(true);
  },
);

test('each change carries the time it was made', () => {
  const { writer, reader } = ring(() => undefined);
  const before = Date.now();
  put(writer, Uint8Array.of(1), Uint8Array.of(1), Uint8Array.of(1));
  const after = Date.now();
  const [{ timeMs } = { timeMs: 0 }] = takeAll(reader);
  expect(timeMs).toBeGreaterThanOrEqual(before);
  expect(timeMs).toBeLessThanOrEqual(after);
});

test('what was taken stays as it is when its place is used again', () => {
  const { writer, reader } = ring(() => undefined);
  const fill = (byte: number) =>
    put(writer, Uint8Array.of(byte), Uint8Array.of(byte), new Uint8Array(200_000).fill(byte));
  fill(1);
  const [first] = takeAll(reader);
  for (let byte = 2; byte < 20; byte++) {
    fill(byte);
    takeAll(reader);
  }
  expect(first?.scope).toEqual(Uint8Array.of(1));
  expect(first?.value?.every((byte) => byte === 1)).toBe(true);
});

test('a name that is too long is refused and leaves no trace', () => {
  const { writer, reader } = ring();
  expect(put(writer, Uint8Array.of(1), new Uint8Array(2 << 20), null)).toBe(false);
  expect(reader.pending).toBe(0);
});

test('of a value whose last piece never comes nothing is taken', () => {
  const taken: Taken[] = [];
  let wakes = 0;
  const { writer, reader } = ring(() => {
    taken.push(...takeAll(reader));
    if (++wakes === 3) throw new Error('the script is ended here');
  });
  put(writer, Uint8Array.of(1), Uint8Array.of(1), Uint8Array.of(1));
  expect(() => put(writer, Uint8Array.of(1), Uint8Array.of(2), new Uint8Array(4 << 20))).toThrow('ended here');
  taken.push(...takeAll(reader));
  expect(taken.map(({ key }) => key[0])).toEqual([1]);
  expect(reader.pending).toBe(0);
});

test('nothing is taken up to a place that has been passed', () => {
  const { writer, reader } = ring(() => undefined);
  const before = reader.written;
  put(writer, Uint8Array.of(1), Uint8Array.of(1), null);
  const after = reader.written;
  expect(reader.take(before)).toBeUndefined();
  expect(changesOf(reader.take(after)!).length).toBe(1);
  expect(reader.take(before)).toBeUndefined();
  expect(reader.take(after)).toBeUndefined();
});

test('only the first write after the host fell asleep wakes it', () => {
  let wakes = 0;
  const { writer, reader } = ring(() => wakes++);
  const write = () => put(writer, Uint8Array.of(1), Uint8Array.of(1), null);
  write();
  write();
  expect(wakes).toBe(1);
  expect(reader.sleep()).toBe(false);
  takeAll(reader);
  write();
  expect(wakes).toBe(1);
  takeAll(reader);
  expect(reader.sleep()).toBe(true);
  write();
  expect(wakes).toBe(2);
});

test('once the host has failed nothing goes in', () => {
  const { writer, reader } = ring(() => undefined);
  put(writer, Uint8Array.of(1), Uint8Array.of(1), null);
  reader.fail();
  expect(reader.pending).toBe(0);
  expect(put(writer, Uint8Array.of(1), Uint8Array.of(1), null)).toBe(false);
});
