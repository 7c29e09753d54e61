import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeKey } from '../../src/state/key.js';
import { openStore } from '../../src/state/store.js';
import type { Change, StateStore } from '../../src/state/types.js';
import { textOf, utf8 } from '../../src/util/bytes.js';
import { backends, changesOf, dump, dumpLive, openers, put, texts } from './stores.js';

const s = utf8('s');
const history = { enabled: true, maxAgeSeconds: 1e6, maxBytes: 1e9 };
const bytes = (value: string | null) => (value === null ? null : utf8(value));
const raw = (key: string) => encodeKey(s, utf8(key));

async function dumpAt(store: StateStore, seq: number): Promise<string[]> {
  const past = await store.at(seq);
  try {
    return await dump(past);
  } finally {
    await past.close();
  }
}

async function historyOf(store: StateStore, key: string, options = {}): Promise<string[]> {
  const items = await store.history(s, utf8(key), options);
  return items.map(({ seq, value }) => `${seq} ${value && textOf(value)}`);
}

async function restoreFrom(store: StateStore, entries: Record<string, string>, seq = 999, storeId = 'elsewhere') {
  const generation = await store.newGeneration();
  await generation.write(Object.entries(entries).map(([key, value]) => ({ key: raw(key), value: utf8(value) })));
  return await generation.activate({ description: 'backup', rewind: { position: { storeId, seq, timeMs: 1 } } });
}

describe.each(Object.keys(openers))('the past on %s', (kind) => {
  const open = openers[kind]!;

  test('is the whole state as it was after a change', async () => {
    const store = await open();
    await put(store, 'a', '1');
    await put(store, 'b', '1');
    await put(store, 'a', '2');
    await put(store, 'b', null);
    await put(store, 'c', '1', 't');
    expect(await dumpAt(store, 0)).toEqual([]);
    expect(await dumpAt(store, 1)).toEqual(['s/a=1']);
    expect(await dumpAt(store, 2)).toEqual(['s/a=1', 's/b=1']);
    expect(await dumpAt(store, 3)).toEqual(['s/a=2', 's/b=1']);
    expect(await dumpAt(store, 5)).toEqual(['s/a=2', 't/c=1']);
    await expect(store.at(6)).rejects.toMatchObject({ code: 'HISTORY_UNREACHABLE' });
    const past = await store.at(2);
    expect(past.seq).toBe(2);
    expect(texts(await past.list(s, { after: utf8('a') }))).toEqual(['b']);
    expect(texts(await past.list(s, { limit: 1 }))).toEqual(['a']);
    expect(texts(await past.scopes())).toEqual(['s']);
    expect(textOf((await past.get(s, utf8('a')))!)).toBe('1');
    expect(await past.get(utf8('t'), utf8('c'))).toBeUndefined();
    await past.close();
  });

  test('is found by time, to the change', async () => {
    let now = 1000;
    const store = await open({ clock: { nowMs: () => now } });
    for (; now < 1100; now += 10) {
      await store.write(['a', 'b', 'c'].map((key) => ({ scope: s, key: utf8(key), value: utf8(`${now}`) })));
      if (now % 30 === 0) await store.flush();
    }
    expect(await store.seqAtTime(999)).toBe(0);
    for (let time = 1000; time < 1100; time++)
      expect(await store.seqAtTime(time)).toBe(3 * (1 + Math.floor((time - 1000) / 10)));
    expect(await store.seqAtTime(1e15)).toBe(30);
    const past = await store.at(await store.seqAtTime(1055));
    expect(past.timeMs).toBe(1050);
    expect(await dump(past)).toEqual(['s/a=1050', 's/b=1050', 's/c=1050']);
    await past.close();
  });

  test('a key tells its life, newest first, up to a limit', async () => {
    const store = await open();
    for (let i = 1; i <= 4; i++) {
      await put(store, 'k', `${i}`);
      await put(store, 'other', `${i}`);
      if (i === 2) await store.flush();
    }
    await put(store, 'k', null);
    expect(await historyOf(store, 'k')).toEqual(['9 null', '7 4', '5 3', '3 2', '1 1']);
    expect(await historyOf(store, 'k', { limit: 2 })).toEqual(['9 null', '7 4']);
    expect(await historyOf(store, 'nothing')).toEqual([]);
  });

  test('a restore shows in the life of the keys that it changed, and of no others', async () => {
    const store = await open();
    await put(store, 'k', '1');
    await put(store, 'same', 'x');
    await restoreFrom(store, { k: 'restored', same: 'x' });
    await put(store, 'k', '2');
    expect(await historyOf(store, 'k')).toEqual(['4 2', '3 restored', '1 1']);
    expect(await historyOf(store, 'same')).toEqual(['2 x']);
    expect(await historyOf(store, 'nothing')).toEqual([]);
  });

  test('before a restore from elsewhere, at it and after it', async () => {
    const store = await open();
    await put(store, 'a', '1');
    await put(store, 'b', '1');
    const { rollbackId } = await restoreFrom(store, { a: 'R', c: 'R', d: 'R' });
    await put(store, 'a', '2');
    await put(store, 'c', null);
    await put(store, 'e', '2');
    await put(store, 'c', '3');
    const states = [
      [],
      ['s/a=1'],
      ['s/a=1', 's/b=1'],
      ['s/a=R', 's/c=R', 's/d=R'],
      ['s/a=2', 's/c=R', 's/d=R'],
      ['s/a=2', 's/d=R'],
      ['s/a=2', 's/d=R', 's/e=2'],
      ['s/a=2', 's/c=3', 's/d=R', 's/e=2'],
    ];
    for (const [seq, state] of states.entries()) expect(await dumpAt(store, seq)).toEqual(state);
    await store.rollback(rollbackId!);
    await put(store, 'b', '5');
    for (const [seq, state] of states.entries()) expect(await dumpAt(store, seq)).toEqual(state);
    expect(await dumpAt(store, 8)).toEqual(['s/a=1', 's/b=1']);
    expect(await dumpLive(store)).toEqual(['s/a=1', 's/b=5']);
  });

  test('a past that a restore left behind for good is refused, naming how far back one can go', async () => {
    let now = Date.UTC(2026, 0, 1);
    const store = await open({ clock: { nowMs: () => now } });
    await restoreFrom(store, { a: 'R' });
    await put(store, 'a', '1');
    const generation = await store.newGeneration();
    now += 1000;
    await generation.activate({
      description: 'x',
      rewind: { position: { storeId: 'e', seq: 5, timeMs: 1 } },
      keepOld: false,
    });
    await expect(store.at(2)).rejects.toMatchObject({
      code: 'HISTORY_UNREACHABLE',
      message: expect.stringContaining('2026-01-01T00:00:01.000Z (change 3)'),
    });
    expect(await dumpAt(store, 3)).toEqual([]);
  });

  test('what is trimmed is refused, what is kept stays exact', async () => {
    let now = 1e12;
    const store = await open({ clock: { nowMs: () => now }, history: { ...history, maxAgeSeconds: 60 } });
    await put(store, 'early', '1');
    await put(store, 'changes', '1');
    await put(store, 'goes', '1');
    await store.flush();
    now += 30_000;
    await put(store, 'changes', '2');
    await put(store, 'goes', null);
    await store.flush();
    now += 40_000;
    await put(store, 'early', '2');
    await put(store, 'changes', '3');
    await trimmed(store, 3);
    expect(await dumpAt(store, 3)).toEqual(['s/changes=1', 's/early=1', 's/goes=1']);
    expect(await dumpAt(store, 4)).toEqual(['s/changes=2', 's/early=1', 's/goes=1']);
    expect(await dumpAt(store, 5)).toEqual(['s/changes=2', 's/early=1']);
    expect(await dumpAt(store, 6)).toEqual(['s/changes=2', 's/early=2']);
    await expect(store.at(2)).rejects.toMatchObject({ code: 'HISTORY_UNREACHABLE' });
    await expect(store.seqAtTime(now - 70_001)).rejects.toMatchObject({ code: 'HISTORY_UNREACHABLE' });
    expect(await store.seqAtTime(now - 70_000)).toBe(3);
    expect(await historyOf(store, 'early')).toEqual(['6 2']);
    const snapshot = await store.snapshot();
    await expect(changesOf(snapshot, 2)).rejects.toMatchObject({ code: 'HISTORY_UNREACHABLE' });
    expect((await changesOf(snapshot, 3)).length).toBe(4);
    await snapshot.close();
  });

  test('history is held to its size', async () => {
    const store = await open({ history: { ...history, maxBytes: 20_000 } });
    for (let i = 0; i < 100; i++) {
      await put(store, `k${i % 10}`, String(i).padStart(1000, ' '));
      await store.flush();
    }
    const { historyStart } = await waitFor(store, (snapshot) => snapshot.historyStart >= 80);
    expect(historyStart).toBeLessThan(90);
    expect((await dumpAt(store, 90)).length).toBe(10);
  });

  test('with history switched off the past is refused, and changes are kept until a backup has them', async () => {
    const store = await open({ history: { ...history, enabled: false } });
    await put(store, 'a', '1');
    await put(store, 'b', '1');
    await store.flush();
    await put(store, 'c', '1');
    for (const look of [store.at(1), store.seqAtTime(1), store.history(s, utf8('a'))])
      await expect(look).rejects.toMatchObject({ code: 'HISTORY_UNREACHABLE' });
    const before = await store.snapshot();
    expect((await changesOf(before)).length).toBe(3);
    await store.releaseHistory(2);
    const after = await store.snapshot();
    expect(after.historyStart).toBe(2);
    expect((await changesOf(after, 2)).length).toBe(1);
    expect((await changesOf(before)).length).toBe(3);
    await Promise.all([before.close(), after.close()]);
  });

  test('with history on, releasing forgets nothing', async () => {
    const store = await open();
    await put(store, 'a', '1');
    await store.releaseHistory(1);
    expect(await dumpAt(store, 0)).toEqual([]);
  });
});

/** Runs what is done in the background each minute, by what starts it at once: a swap. */
async function trimmed(store: StateStore, seq: number): Promise<void> {
  await (await store.newGeneration()).discard();
  await waitFor(store, (snapshot) => snapshot.historyStart === seq);
}

async function waitFor(store: StateStore, isThere: (snapshot: { historyStart: number }) => boolean) {
  for (;;) {
    const snapshot = await store.snapshot();
    const { historyStart } = snapshot;
    await snapshot.close();
    if (isThere({ historyStart })) return { historyStart };
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const KEYS = ['a', 'b', 'c', 'd'];
const key = fc.constantFrom(...KEYS);
const value = fc.option(fc.string({ maxLength: 3 }));
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      changes: fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'flush' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('restore' as const),
      to: fc.nat(),
      own: fc.boolean(),
      keepOld: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('merge' as const),
      changes: fc.array(fc.tuple(key, value), { maxLength: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('rollback' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'age' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type State = Record<string, string>;

const apply = (state: State, changes: readonly (readonly [string, string | null])[]): State => {
  const next = { ...state };
  for (const [k, v] of changes)
    if (v === null) delete next[k];
    else next[k] = v;
  return next;
};
const lines = (state: State): string[] =>
  Object.keys(state)
    .sort()
    .map((k) => `s/${k}=${state[k]}`);

/** What the store must be: the state after every change, by sequence number. */
class Model {
  states: State[] = [{}];
  points = new Map<string, State>();
  get now(): State {
    return this.states.at(-1)!;
  }
}

async function run(store: StateStore, model: Model, one: Step, clock: { now: number }): Promise<void> {
  clock.now += 1000;
  if (one.kind === 'write') {
    for (const [k, v] of one.changes) {
      const { effective } = await put(store, k, v);
      if (effective > 0) model.states.push(apply(model.now, [[k, v]]));
    }
  } else if (one.kind === 'flush') await store.flush();
  else if (one.kind === 'age') {
    clock.now += 20_000;
    await (await store.newGeneration()).discard();
  } else if (one.kind === 'restore') {
    const seq = one.to % model.states.length;
    const state = model.states[seq]!;
    const generation = await store.newGeneration();
    await generation.write(Object.entries(state).map(([k, v]) => ({ key: raw(k), value: utf8(v) })));
    const position = { storeId: one.own ? store.storeId : 'elsewhere', seq, timeMs: 1 };
    const old = model.now;
    const { rollbackId } = await generation.activate({ description: 'r', rewind: { position }, keepOld: one.keepOld });
    if (rollbackId !== undefined) model.points.set(rollbackId, old);
    model.states.push(state);
  } else if (one.kind === 'merge') {
    const changes: Change[] = one.changes.map(([k, v]) => ({ scope: s, key: utf8(k), value: bytes(v) }));
    const old = model.now;
    const generation = await store.newGeneration();
    const next = apply(old, one.changes);
    await generation.write(Object.entries(next).map(([k, v]) => ({ key: raw(k), value: utf8(v) })));
    const { rollbackId } = await generation.activate({ description: 'm', changes: pages(changes) });
    if (rollbackId !== undefined) model.points.set(rollbackId, old);
    for (const c of one.changes) model.states.push(apply(model.now, [c]));
  } else if (one.kind === 'rollback') {
    const points = await store.rollbackPoints();
    const point = points[one.which % Math.max(1, points.length)];
    if (point === undefined) return;
    const old = model.now;
    const { rollbackId } = await store.rollback(point.id);
    model.states.push(model.points.get(point.id)!);
    model.points.set(rollbackId!, old);
  }
}

async function* pages(changes: Change[]): AsyncIterable<Change[]> {
  yield changes;
}

/** Tells how many moments could be had. */
async function compare(store: StateStore, model: Model): Promise<number> {
  expect(await dumpLive(store)).toEqual(lines(model.now));
  expect(store.position().seq).toBe(model.states.length - 1);
  let reached = 0;
  for (const [seq, state] of model.states.entries()) {
    try {
      expect(await dumpAt(store, seq)).toEqual(lines(state));
      reached++;
    } catch (error) {
      if ((error as { code?: string }).code !== 'HISTORY_UNREACHABLE') throw error;
    }
  }
  return reached;
}

test.each(['memory', 'level', 'level with table files'])(
  'every moment of any life is exact or refused, on %s',
  async (kind) => {
    let moments = 0;
    let reached = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const clock = { now: 1e12 };
        const options = { clock: { nowMs: () => clock.now }, history: { ...history, maxAgeSeconds: 25 } };
        const backend = await backends[kind]!();
        let store = await openStore(backend, options);
        const model = new Model();
        for (const one of steps) {
          if (one.kind === 'reopen' && kind.startsWith('level')) {
            await store.close();
            store = await openStore(backend, options);
          }
          await run(store, model, one, clock);
        }
        moments += model.states.length;
        reached += await compare(store, model);
        await store.close();
      }),
      { numRuns: kind === 'memory' ? 150 : 25 },
    );
    expect(reached / moments).toBeGreaterThan(0.4);
  },
);
