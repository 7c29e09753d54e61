import fc from 'fast-check';
import { expect, test } from 'vitest';
import { View } from '../../src/channel/view.js';
import { type Bytes, equalBytes, utf8 } from '../../src/util/bytes.js';
import { hashOfName } from '../../src/util/name-hash.js';
import { bucketOf, NAME_BUCKETS } from '../../src/util/name-set.js';

const put = (view: View, scope: Bytes, key: Bytes, value: Bytes | null) =>
  view.put(scope, key, hashOfName(scope, key), value, view.epochOf(hashOfName(scope, key)));
const get = (view: View, scope: Bytes, key: Bytes) => view.get(scope, key, hashOfName(scope, key));

const name = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 3 }), fc.constantFrom(utf8('a'), utf8('ab'), utf8('b')));
const step = fc.oneof(
  fc.record({ do: fc.constant('put'), scope: name, key: name, value: fc.uint8Array({ minLength: 1, maxLength: 60 }) }),
  fc.record({ do: fc.constantFrom('absent', 'forget', 'clear'), scope: name, key: name }),
);

test('knows the last thing it was told of a key, whatever the bytes of its name', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const view = new View();
      const model = new Map<string, [Uint8Array, Uint8Array, Uint8Array | null | undefined]>();
      for (const one of steps) {
        const id = `${one.scope.join()}/${one.key.join()}`;
        if (one.do === 'clear') {
          view.clear();
          for (const known of model.values()) known[2] = undefined;
          continue;
        }
        const value = 'value' in one ? one.value : one.do === 'absent' ? null : undefined;
        model.set(id, [one.scope, one.key, value]);
        if (value === undefined) view.forget(one.scope, one.key, hashOfName(one.scope, one.key));
        else put(view, one.scope, one.key, value);
      }
      for (const [scope, key, value] of model.values()) expect(get(view, scope, key)).toEqual(value);
    }),
    { numRuns: 300 },
  );
});

test('keeps many keys, and values that grow', () => {
  const view = new View();
  for (const length of [1, 20, 5, 300]) {
    for (let i = 0; i < 5000; i++) put(view, utf8('s'), utf8(`${i}`), new Uint8Array(length).fill(i));
    for (let i = 0; i < 5000; i += 7)
      expect(get(view, utf8('s'), utf8(`${i}`))).toEqual(new Uint8Array(length).fill(i));
  }
});

test('forgets when it is full, and never tells anything that is wrong', () => {
  const view = new View(undefined, 256 << 10);
  for (let round = 0; round < 3; round++)
    for (let i = 0; i < 5000; i++) {
      put(view, utf8('s'), utf8(`${i}`), new Uint8Array(50).fill(i + round));
      const own = get(view, utf8('s'), utf8(`${i}`));
      expect(own && equalBytes(own, new Uint8Array(50).fill(i + round))).toBe(true);
      const other = get(view, utf8('s'), utf8(`${i >> 1}`));
      if (other) expect(equalBytes(other, new Uint8Array(50).fill((i >> 1) + round))).toBe(true);
    }
  expect(get(view, utf8('s'), utf8('0'))).toBeUndefined();
});

test('does not keep what is large beside its limit, and forgets what it knew of it', () => {
  const view = new View(undefined, 256 << 10);
  put(view, utf8('s'), utf8('k'), Uint8Array.of(1));
  put(view, utf8('s'), utf8('k'), new Uint8Array(100_000));
  expect(get(view, utf8('s'), utf8('k'))).toBeUndefined();
});

test('knows a value no longer when the epoch of its bucket has changed, and the others as before', () => {
  const epochs = new Int32Array(NAME_BUCKETS);
  const view = new View(epochs);
  const keys = Array.from({ length: 100 }, (_, i) => utf8(`${i}`));
  for (const key of keys) put(view, utf8('s'), key, key);
  const changed = bucketOf(hashOfName(utf8('s'), keys[7]!));
  epochs[changed]!++;
  for (const key of keys) {
    const isChanged = bucketOf(hashOfName(utf8('s'), key)) === changed;
    expect(get(view, utf8('s'), key)).toEqual(isChanged ? undefined : key);
  }
  put(view, utf8('s'), keys[7]!, null);
  expect(get(view, utf8('s'), keys[7]!)).toBe(null);
});

test('a value that was asked for before the epoch changed is not believed after it', () => {
  const epochs = new Int32Array(NAME_BUCKETS);
  const view = new View(epochs);
  const hash = hashOfName(utf8('s'), utf8('k'));
  const asked = view.epochOf(hash);
  epochs[bucketOf(hash)]!++;
  view.put(utf8('s'), utf8('k'), hash, utf8('old'), asked);
  expect(view.get(utf8('s'), utf8('k'), hash)).toBe(undefined);
});
