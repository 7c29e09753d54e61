import { describe, expect, test } from 'vitest';
import { type Bytes, utf8 } from '../../src/util/bytes.js';
import { changesOf, describeChanges, dump, openers, put, read, texts } from './stores.js';

const s = utf8('s');

describe.each(Object.keys(openers))('a store on %s', (kind) => {
  const open = openers[kind]!;

  test('gives back what was set, in its scope only', async () => {
    const store = await open();
    await put(store, 'k', 'one');
    await put(store, 'k', 'other', 't');
    expect(await read(store, 'k')).toBe('one');
    expect(await read(store, 'k', 't')).toBe('other');
    expect(await read(store, 'k', 'u')).toBeUndefined();
    expect(await store.has(s, utf8('k'))).toBe(true);
    expect(await store.has(s, utf8('l'))).toBe(false);
  });

  test('a write is seen by the next read, before and after it is committed', async () => {
    const store = await open();
    for (let i = 0; i < 20; i++) {
      const written = put(store, 'k', `${i}`);
      if (kind === 'memory without synchronous reads') await written;
      expect(await read(store, 'k')).toBe(`${i}`);
      if (i % 3 === 0) await store.flush();
      expect(await read(store, 'k')).toBe(`${i}`);
      await written;
    }
  });

  test('tells how many changes had an effect: deleting what is not there has none', async () => {
    const store = await open();
    expect(await put(store, 'k', 'v')).toEqual({ seq: 1, effective: 1 });
    expect(await put(store, 'none', null)).toEqual({ seq: 1, effective: 0 });
    expect(await put(store, 'k', null)).toEqual({ seq: 2, effective: 1 });
    expect(await put(store, 'k', null)).toEqual({ seq: 2, effective: 0 });
    await store.flush();
    expect(await put(store, 'k', null)).toEqual({ seq: 2, effective: 0 });
    expect(await read(store, 'k')).toBeUndefined();
  });

  test('lists keys in byte order, by prefix, after a key, up to a limit', async () => {
    const store = await open();
    for (const key of ['b', 'a', 'ab', 'aa', 'abc', 'ac', 'é']) await put(store, key, 'v');
    await put(store, 'x', 'v', 'other');
    await put(store, 'ac', null);
    const list = async (options = {}) => texts(await store.list(s, options));
    expect(await list()).toEqual(['a', 'aa', 'ab', 'abc', 'b', 'é']);
    expect(await list({ prefix: utf8('ab') })).toEqual(['ab', 'abc']);
    expect(await list({ after: utf8('aa'), limit: 2 })).toEqual(['ab', 'abc']);
    expect(await list({ prefix: utf8('a'), after: utf8('a') })).toEqual(['aa', 'ab', 'abc']);
    expect(await list({ prefix: utf8('b'), after: utf8('a') })).toEqual(['b']);
    expect(await list({ prefix: utf8('a'), after: utf8('b') })).toEqual([]);
    expect(await list({ limit: 0 })).toEqual([]);
    expect(texts(await store.list(utf8('nowhere')))).toEqual([]);
  });

  test('reads entries ahead from a key on or after it, as they are now, in its scope only', async () => {
    const store = await open();
    for (let n = 0; n < 10; n++) await put(store, `k${n}`, `${n}`);
    await put(store, 'k5', 'other', 't');
    await store.flush();
    const ahead = async (from: { gte: Bytes } | { gt: Bytes }, limit: number) =>
      texts(await store.readAhead(s, from, limit)).join(' ');
    expect(await ahead({ gte: utf8('k3') }, 2)).toBe('k3 3 k4 4');
    expect(await ahead({ gt: utf8('k3') }, 2)).toBe('k4 4 k5 5');
    expect(await ahead({ gt: utf8('k8') }, 5)).toBe('k9 9');
    expect(await ahead({ gt: utf8('k9') }, 5)).toBe('');
    await put(store, 'k6', 'new');
    await put(store, 'k7', null);
    expect(await ahead({ gte: utf8('k5') }, 4)).toMatch(/^k5 5 k6 new k8 8\b/);
    await put(store, 'k1', 'x'.repeat(70_000));
    await store.flush();
    expect((await store.readAhead(s, { gte: utf8('k0') }, 10)).length).toBe(4);
  });

  test('knows the scopes that hold anything, also odd ones', async () => {
    const store = await open();
    const scopes = ['b', 'a', 'a\0', 'a\0b', '\xff'];
    for (const scope of scopes) for (const key of ['k', '\0']) await put(store, key, 'v', scope);
    await put(store, 'k', 'v', 'gone');
    await put(store, 'k', null, 'gone');
    expect(texts(await store.scopes())).toEqual(['a', 'a\0', 'a\0b', 'b', '\xff']);
  });

  test('clears a scope and tells how many entries it had', async () => {
    const store = await open();
    for (let i = 0; i < 1500; i++) void put(store, `k${i}`, 'v');
    await put(store, 'k', 'v', 's2');
    expect(await store.clear(s)).toBe(1500);
    expect(await store.clear(s)).toBe(0);
    expect(texts(await store.scopes())).toEqual(['s2']);
  });

  test('writes all changes of a call or, where one cannot be, none', async () => {
    const store = await open({ maxValueBytes: 10 });
    const change = (key: string, value: string) => ({ scope: s, key: utf8(key), value: utf8(value) });
    await expect(store.write([change('a', 'v'), change('b', '12345678901')])).rejects.toMatchObject({
      code: 'VALUE_TOO_LARGE',
      message: expect.stringContaining('"b" in scope "s"'),
    });
    await expect(store.write([change('a', 'v'), change('', 'v')])).rejects.toMatchObject({ code: 'KEY_INVALID' });
    await expect(store.write([change('x'.repeat(131072), 'v')])).rejects.toMatchObject({ code: 'KEY_INVALID' });
    expect(await read(store, 'a')).toBeUndefined();
    expect(store.position().seq).toBe(0);
  });

  test('a conditional write has its effect only if nothing it rests on has changed', async () => {
    const store = await open();
    const change = (value: string) => [{ scope: s, key: utf8('k'), value: utf8(value) }];
    const check = (seq: number) => [{ scope: s, key: utf8('k'), seq }];
    expect(await store.writeIf(check(0), change('first'))).toEqual({ seq: 1, effective: 1 });
    expect(await store.writeIf(check(0), change('second'))).toBeUndefined();
    await store.flush();
    expect(await store.writeIf(check(2), change('third'))).toBeUndefined();
    expect(await store.writeIf(check(1), change('fourth'))).toEqual({ seq: 2, effective: 1 });
    await put(store, 'k', null);
    expect(await store.writeIf(check(2), change('fifth'))).toBeUndefined();
    expect(await store.writeIf(check(0), change('sixth'))).toEqual({ seq: 4, effective: 1 });
    expect(await read(store, 'k')).toBe('sixth');
  });

  test('ten thousand optimistic increments by ten callers are all counted', async () => {
    const store = await open();
    const key = utf8('n');
    const increment = async (): Promise<void> => {
      const old = await store.get(s, key);
      const value = utf8(String(Number(Buffer.from(old?.value ?? utf8('0')).toString()) + 1));
      const written = await store.writeIf([{ scope: s, key, seq: old?.seq ?? 0 }], [{ scope: s, key, value }]);
      if (written === undefined) await increment();
    };
    const each = kind === 'level' || kind === 'memory' ? 1000 : 20;
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        for (let i = 0; i < each; i++) await increment();
      }),
    );
    expect(await read(store, 'n')).toBe(String(10 * each));
  });

  test('history has every change of a key that the entries have once', async () => {
    const store = await open();
    for (let i = 0; i < 5; i++) await put(store, 'hot', `${i}`);
    await put(store, 'k', 'v');
    await put(store, 'hot', null);
    const snapshot = await store.snapshot();
    expect(describeChanges(await changesOf(snapshot))).toEqual([
      '1 hot=0',
      '2 hot=1',
      '3 hot=2',
      '4 hot=3',
      '5 hot=4',
      '6 k=v',
      '7 hot=null',
    ]);
    expect(describeChanges(await changesOf(snapshot, 5))).toEqual(['6 k=v', '7 hot=null']);
    expect(await dump(snapshot)).toEqual(['s/k=v']);
    await snapshot.close();
  });

  test('a snapshot holds still while writers go on', async () => {
    const store = await open();
    await put(store, 'a', '1');
    await put(store, 'b', '1', 't');
    const snapshot = await store.snapshot();
    await put(store, 'a', '2');
    await put(store, 'c', '2');
    await store.flush();
    expect(await dump(snapshot)).toEqual(['s/a=1', 't/b=1']);
    expect(snapshot.seq).toBe(2);
    expect(snapshot.historyStart).toBe(0);
    expect(texts(await snapshot.list(s))).toEqual(['a']);
    expect(texts(await snapshot.scopes())).toEqual(['s', 't']);
    expect(Buffer.from((await snapshot.get(s, utf8('a')))!).toString()).toBe('1');
    expect(describeChanges(await changesOf(snapshot))).toEqual(['1 a=1', '2 b=1']);
    const some: number[] = [];
    for await (const page of snapshot.entries([utf8('t'), utf8('t'), utf8('x')])) some.push(page.length);
    expect(some).toEqual([1]);
    await snapshot.close();
  });

  test('times never go back, whatever the clock does', async () => {
    let now = 1000;
    const store = await open({ clock: { nowMs: () => now } });
    await put(store, 'a', '1');
    now = 500;
    await put(store, 'a', '2');
    await store.write([{ scope: s, key: utf8('a'), value: utf8('3'), timeMs: 1500 }]);
    await put(store, 'a', '4');
    const snapshot = await store.snapshot();
    expect((await changesOf(snapshot)).map(({ timeMs }) => timeMs)).toEqual([1000, 1000, 1500, 1500]);
    expect(snapshot.timeMs).toBe(1500);
    await snapshot.close();
  });

  test('keeps small documents outside every scope', async () => {
    const store = await open();
    expect(await store.getMeta('version')).toBeUndefined();
    await store.setMeta('version', utf8('1.0'));
    expect(Buffer.from((await store.getMeta('version'))!).toString()).toBe('1.0');
    await store.setMeta('version', null);
    expect(await store.getMeta('version')).toBeUndefined();
    expect(await store.scopes()).toEqual([]);
  });

  test('refuses every change where it is read-only', async () => {
    const store = await open({ readOnly: true });
    await expect(put(store, 'k', 'v')).rejects.toMatchObject({ code: 'STATE_READONLY' });
    await expect(store.setMeta('m', utf8('v'))).rejects.toMatchObject({ code: 'STATE_READONLY' });
    await expect(store.clear(s)).rejects.toMatchObject({ code: 'STATE_READONLY' });
    expect(await read(store, 'k')).toBeUndefined();
  });

  test('is closed after close, which may be called twice', async () => {
    const store = await open();
    await put(store, 'k', 'v');
    await store.close();
    await store.close();
    await expect(read(store, 'k')).rejects.toMatchObject({ code: 'STATE_CLOSED' });
    await expect(put(store, 'k', 'v')).rejects.toMatchObject({ code: 'STATE_CLOSED' });
    await expect(store.flush()).rejects.toMatchObject({ code: 'STATE_CLOSED' });
  });

  test('takes values and keys of every byte, and large ones', async () => {
    const store = await open();
    const scope = Uint8Array.from({ length: 256 }, (_, i) => i);
    const key = Uint8Array.from({ length: 64 << 10 }, (_, i) => 255 - (i % 256));
    const value = new Uint8Array(9_000_000).fill(0xc1);
    await store.write([{ scope, key, value }]);
    expect(Buffer.compare((await store.get(scope, key))!.value, value)).toBe(0);
    await store.flush();
    expect(Buffer.compare((await store.get(scope, key))!.value, value)).toBe(0);
    expect((await store.list(scope)).map((k) => Buffer.compare(k, key))).toEqual([0]);
  });

  test.each(['always', 'interval', 'none'] as const)(
    'flush leaves nothing behind with durability %s',
    async (durability) => {
      const store = await open({ durability });
      await Promise.all(Array.from({ length: 200 }, (_, i) => put(store, `k${i % 7}`, `${i}`)));
      await store.flush();
      const snapshot = await store.snapshot();
      expect(snapshot.seq).toBe(200);
      expect((await changesOf(snapshot)).length).toBe(200);
      await snapshot.close();
    },
  );
});
