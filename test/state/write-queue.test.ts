import { describe, expect, test } from 'vitest';
import { LlmspellError } from '../../src/errors.js';
import type { Batch, StateBackend } from '../../src/state/backend.js';
import { createMemoryBackend } from '../../src/state/backends/memory.js';
import { encodeKey } from '../../src/state/key.js';
import { ownKey } from '../../src/state/layout.js';
import { utf8 } from '../../src/util/bytes.js';
import { openForTest, put, read } from './stores.js';

const s = utf8('s');
const value = new Uint8Array(1 << 20);

/** A real backend whose commits can be watched, held up and made to fail. */
function watched() {
  const commits: { segments: number; sync: boolean }[] = [];
  const control = { gate: Promise.resolve(), failure: undefined as LlmspellError | undefined, commits };
  const backend: StateBackend = createMemoryBackend();
  const commit = backend.commit.bind(backend);
  backend.commit = async (batch: Batch, options: { sync: boolean }) => {
    commits.push({ segments: batch.segments?.length ?? 0, sync: options.sync });
    await control.gate;
    if (control.failure !== undefined) throw control.failure;
    await commit(batch, options);
  };
  return { backend, control };
}

function closedGate(): { gate: Promise<void>; open: () => void } {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { gate, open };
}

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol();
  const first = await Promise.race([promise, new Promise((resolve) => setImmediate(() => resolve(pending)))]);
  return first === pending;
}

describe('group commit', () => {
  test('with "always", writers of one moment share one synced commit, and so do those that come while it is under way', async () => {
    const { backend, control } = watched();
    const store = await openForTest(backend, { durability: 'always' });
    control.commits.length = 0;
    await Promise.all(Array.from({ length: 50 }, (_, i) => put(store, `${i}`, 'v')));
    expect(control.commits).toEqual([{ segments: 1, sync: true }]);
    const { gate, open } = closedGate();
    control.gate = gate;
    const first = put(store, 'a', 'v');
    await new Promise((resolve) => setImmediate(resolve));
    const rest = Array.from({ length: 50 }, (_, i) => put(store, `${i}`, 'w'));
    expect(await isPending(first)).toBe(true);
    open();
    await Promise.all([first, ...rest]);
    expect(control.commits.length).toBe(3);
  });

  test('with "interval" a write resolves before any commit, and a synced one follows by itself', async () => {
    const { backend, control } = watched();
    const store = await openForTest(backend, { durability: 'interval', flushIntervalMs: 10 });
    control.commits.length = 0;
    await put(store, 'a', 'v');
    expect(control.commits).toEqual([]);
    await expect.poll(() => control.commits).toEqual([{ segments: 1, sync: true }]);
    await put(store, 'a', 'w');
    await store.list(s);
    expect(control.commits[1]).toEqual({ segments: 1, sync: false });
    await expect.poll(() => control.commits[2]).toEqual({ segments: 0, sync: true });
  });

  test('with "none" nothing is synced until somebody flushes', async () => {
    const { backend, control } = watched();
    const store = await openForTest(backend, { durability: 'none', flushIntervalMs: 5 });
    control.commits.length = 0;
    await put(store, 'a', 'v');
    await expect.poll(() => control.commits).toEqual([{ segments: 1, sync: false }]);
    await store.flush();
    expect(control.commits[1]).toEqual({ segments: 0, sync: true });
    await store.flush();
    expect(control.commits.length).toBe(2);
  });

  test('writers wait while too much is accepted and not committed', async () => {
    const { backend, control } = watched();
    const store = await openForTest(backend);
    const { gate, open } = closedGate();
    control.gate = gate;
    let accepted = 0;
    const writing = (async () => {
      for (; accepted < 30; accepted++) await store.write([{ scope: s, key: utf8(`${accepted}`), value }]);
    })();
    expect(await isPending(writing)).toBe(true);
    expect(accepted).toBeLessThan(10);
    open();
    await writing;
    await store.flush();
    expect(await store.list(s)).toHaveLength(30);
  });

  test('a failed commit reaches everybody who waits and whoever comes later; what was committed before stays', async () => {
    const { backend, control } = watched();
    const store = await openForTest(backend, { durability: 'always' });
    await put(store, 'kept', 'v');
    control.failure = new LlmspellError('STATE_FULL', 'The disk is full.');
    const waiting = await Promise.allSettled([put(store, 'a', '1'), put(store, 'kept', '2'), store.flush()]);
    for (const one of waiting) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'STATE_FULL' } });
    control.failure = undefined;
    for (const later of [put(store, 'b', '1'), store.flush(), store.clear(s), store.newGeneration()])
      await expect(later).rejects.toMatchObject({ code: 'STATE_FULL' });
    expect(await read(store, 'kept')).toBe('v');
    expect(await read(store, 'a')).toBeUndefined();
    expect(await store.list(s)).toHaveLength(1);
    await expect(store.close()).rejects.toMatchObject({ code: 'STATE_FULL' });
  });
});

test('a damaged value can be deleted, together with others', async () => {
  const { backend } = watched();
  const store = await openForTest(backend);
  await put(store, 'a', '1');
  await put(store, 'b', '1');
  await store.flush();
  const key = [4, 0, 0, 0, 1, ...encodeKey(s, utf8('b'))];
  await backend.commit(
    { operations: [{ type: 'put', key: Uint8Array.from(key), value: utf8('rotten') }] },
    { sync: true },
  );
  await expect(read(store, 'b')).rejects.toMatchObject({
    code: 'STATE_DAMAGED',
    message: expect.stringContaining('"b" in scope "s"'),
  });
  const deletes = ['a', 'b'].map((name) => ({ scope: s, key: utf8(name), value: null }));
  expect(await store.write(deletes)).toMatchObject({ effective: 2 });
  expect(await store.list(s)).toEqual([]);
});

test('a store whose own records are damaged is not opened', async () => {
  const { backend } = watched();
  await (await openForTest(backend)).flush();
  const damaged = { type: 'put', key: ownKey('catalog'), value: utf8('rotten, all of it') } as const;
  await backend.commit({ operations: [damaged] }, { sync: true });
  await expect(openForTest(backend)).rejects.toMatchObject({
    code: 'STATE_DAMAGED',
    message: expect.stringContaining('"catalog"'),
  });
});

test('clear also removes what is set while it is under way', async () => {
  const store = await openForTest(createMemoryBackend());
  const other = utf8('other');
  await put(store, 'a', '1');
  await store.flush();
  const clearing = store.clear(s);
  await put(store, 'late', '1');
  await put(store, 'a', '2');
  await store.write([{ scope: other, key: utf8('k'), value: utf8('v') }]);
  expect(await clearing).toBe(2);
  expect(await store.list(s)).toEqual([]);
  expect(await store.clear(s)).toBe(0);
  expect(await store.list(other)).toHaveLength(1);
});
