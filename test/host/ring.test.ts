import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ScriptHost } from '../../src/host/script-host.js';
import { type NamedCall, StateService } from '../../src/host/state-service.js';
import type { StateBackend } from '../../src/state/backend.js';
import { createMemoryBackend } from '../../src/state/backends/memory.js';
import { decodeValue, encodeValue } from '../../src/state/codec.js';
import type { StateStore, StoreOptions } from '../../src/state/types.js';
import { latin1Of, utf8 } from '../../src/util/bytes.js';
import { backends, openForTest } from '../state/stores.js';
import { MACHINE, runScript, scriptHost } from './script-runs.js';

async function open(
  backend: StateBackend,
  options: StoreOptions & { calls?: (store: StateStore) => Record<string, NamedCall> } = {},
): Promise<{ store: StateStore; host: ScriptHost; lua(source: string): Promise<string> }> {
  const store = await openForTest(backend, options);
  const calls = options.calls?.(store) ?? {};
  const host = scriptHost({
    machine: { ...MACHINE, state: true, calls: Object.keys(calls) },
    maxConcurrentScripts: 10,
    timeoutSeconds: 30,
    service: new StateService({ store: async () => store, calls }),
  });
  onTestFinished(() => host.close());
  const lua = async (source: string) => {
    const { error, text } = await runScript(host, source);
    expect(error && `${error.message}\n${text}`).toBeUndefined();
    return text;
  };
  return { store, host, lua };
}

/** Texts and numbers are all that is stored here. */
const decode = (value: Uint8Array) => decodeValue(value) as string | number | boolean;

const valueAt = async (store: StateStore, key: string, scope = 'global') => {
  const stored = await store.get(utf8(scope), utf8(key));
  return stored && decode(stored.value);
};

/** Every change since the beginning, as `key=value`. */
async function changes(store: StateStore): Promise<string[]> {
  const snapshot = await store.snapshot();
  const all: string[] = [];
  for await (const page of snapshot.changesSince(0))
    for (const record of page)
      if ('key' in record) all.push(`${latin1Of(record.key)}=${record.value === null ? 'nil' : decode(record.value)}`);
  await snapshot.close();
  return all;
}

describe.each(Object.entries(backends))('over %s', (_, backend) => {
  test('a script reads what it wrote, and its changes stay in order, whichever way they take', async () => {
    const { store, lua } = await open(await backend());
    await lua(`
      local function is(key, value) assert(State.get(key) == value, key) end
      State.set("a", 1) is("a", 1)
      State.set("a", 2) assert(State.increment("a") == 3) is("a", 3)
      State.set("b", 1) State.set("b", nil) is("b", nil) assert(not State.has("b") and not State.delete("b"))
      State.set("b", 2) assert(State.delete("b") and not State.delete("b")) is("b", nil)
      State.set("b", 3) assert(State.update("b", function(n) return n + 1 end) == 4) is("b", 4)
      State.set("c", 1) State.transaction(function() State.set("c", State.get("c") + 1) end) is("c", 2)
      State.set("c", 5) assert(#State.list("global") == 3 and State.clear("global") == 3)
      is("a", nil) is("c", nil)
      State.set("z", "last")
    `);
    expect(await changes(store)).toEqual(
      'a=1 a=2 a=3 b=1 b=nil b=2 b=nil b=3 b=4 c=1 c=2 c=5 a=nil b=nil c=nil z=last'.split(' '),
    );
  });

  test('a value larger than the ring comes between its neighbours', async () => {
    const { store, lua } = await open(await backend());
    await lua(`
      State.set("before", 1)
      State.set("k", "small") State.set("k", ("x"):rep(9000000)) assert(#State.get("k") == 9000000)
      State.set("k", "after") assert(State.get("k") == "after")
    `);
    const kinds = (await changes(store)).map((change) => change.slice(0, 8));
    expect(kinds).toEqual(['before=1', 'k=small', 'k=xxxxxx', 'k=after']);
  });
});

test('more than the ring holds is written in order and complete, by a script that goes on to its end', async () => {
  const { store, lua } = await open(await backends.level!());
  await lua('for i = 1, 40000 do State.set("k" .. i % 7, i .. ("x"):rep(400)) end');
  const all = await changes(store);
  expect(all.length).toBe(40_000);
  all.forEach((change, i) => {
    if (!change.startsWith(`k${(i + 1) % 7}=${i + 1}x`)) expect(change.slice(0, 20)).toBe(`change ${i + 1}`);
  });
});

test('scopes, keys and values of any bytes arrive as they are', async () => {
  const { store, lua } = await open(createMemoryBackend());
  await lua(`
    for b = 0, 255 do
      local c = string.char(b)
      State.set(c, c .. "\\0" .. c, c:rep(3)) assert(State.get(c, c .. "\\0" .. c) == c:rep(3))
    end
    State.set("long", ("k"):rep(64000), 1) assert(State.get("long", ("k"):rep(64000)) == 1)
  `);
  expect(await valueAt(store, '\u0000\u0000\u0000', '\u0000')).toBe('\0\0\0');
  expect((await store.scopes()).length).toBe(257);
  expect((await store.list(utf8('long'))).map(({ length }) => length)).toEqual([64_000]);
});

test('a name that the state refuses is refused at once', async () => {
  const { host } = await open(createMemoryBackend());
  const { error } = await runScript(host, {
    source: 'State.set("ok", 1)\nState.set(("s"):rep(200000), "k", 1)\nerror("too late")',
    chunkName: '=lua',
  });
  expect(error?.message).toMatch(/^lua:2: .*limit is/);
});

describe('several scripts', () => {
  test('that increment lose nothing', async () => {
    const { store, lua } = await open(await backends.level!());
    const source = 'for _ = 1, 10000 do State.increment("n") end';
    await Promise.all(Array.from({ length: 10 }, () => lua(source)));
    expect(await valueAt(store, 'n')).toBe(100_000);
  });

  test('see what another one wrote, also of keys that they know', async () => {
    const { lua } = await open(createMemoryBackend());
    const waits = (key: string, value: number) => `repeat until State.get("${key}") == ${value}`;
    await Promise.all([
      lua(`for i = 1, 50 do State.set("ping", i) ${waits('pong', 0).replace('0', 'i')} end`),
      lua(`for i = 1, 50 do ${waits('ping', 0).replace('0', 'i')} State.set("pong", i) end`),
    ]);
  });

  test('that delete the same key: one of them is told that it did', async () => {
    const { lua } = await open(createMemoryBackend());
    await lua('for i = 1, 500 do State.set("jobs", "j" .. i, true) end');
    const claim = `
      local n = 0
      for i = 1, 500 do if State.get("jobs", "j" .. i) and State.delete("jobs", "j" .. i) then n = n + 1 end end
      print(n)`;
    const counts = await Promise.all([lua(claim), lua(claim), lua(claim)]);
    expect(counts.map(Number).reduce((a, b) => a + b)).toBe(500);
  });

  test('write over one another in one order: all see the same value in the end', async () => {
    const { store, lua } = await open(createMemoryBackend());
    const writer = (name: string) => `
      for i = 1, 3000 do State.set("shared", "${name}" .. i) State.get("shared") end
      State.set("done ${name}", true)
      repeat until State.get("done a") and State.get("done b")
      print(State.get("shared"))`;
    const seen = await Promise.all([lua(writer('a')), lua(writer('b'))]);
    const value = await valueAt(store, 'shared');
    expect(seen).toEqual([`${value}\n`, `${value}\n`]);
  });
});

test('what the embedding program changes is seen by a script that knows the key', async () => {
  const { store, lua } = await open(createMemoryBackend());
  const running = lua(`
    State.set("k", "script") State.set("ready", true) State.flush()
    repeat until State.get("k") ~= "script"
    print(State.get("k"))`);
  while ((await valueAt(store, 'ready')) !== true) await delay(1);
  await store.write([{ scope: utf8('global'), key: utf8('k'), value: encodeValue('program') }]);
  expect(await running).toBe('program\n');
});

test('a restore during a run is seen by its next read, and what it wrote before is not written after it', async () => {
  const { store, lua } = await open(await backends.level!(), {
    calls: (state) => ({
      restore_backup: async () => {
        const writer = await state.newGeneration();
        await writer.write([]);
        const { storeId, seq, timeMs } = state.position();
        await writer.activate({ description: 'test', rewind: { position: { storeId, seq, timeMs } } });
        return true;
      },
    }),
  });
  await lua(`
    for i = 1, 1000 do State.set("k" .. i, i) end
    assert(State.restore_backup())
    assert(State.get("k1") == nil and State.get("k1000") == nil and #State.list() == 0)
    State.set("k1", "new") assert(State.get("k1") == "new")
  `);
  expect((await store.list(utf8('global'))).map(latin1Of)).toEqual(['k1']);
});

test('each change has the time it was made, not the time it arrived', async () => {
  const { store, lua } = await open(createMemoryBackend(), { clock: { nowMs: () => 0 } });
  const before = Date.now();
  await lua('State.set("k", 1)');
  const [{ timeMs } = { timeMs: 0 }] = await store.history(utf8('global'), utf8('k'));
  expect(timeMs).toBeGreaterThanOrEqual(before);
  expect(timeMs).toBeLessThanOrEqual(Date.now());
});

describe('a script that ends', () => {
  const loop = 'for i = 1, 1e9 do State.set("n", i) State.set("k" .. i % 10, i) end';

  /** The changes must be those of the loop up to one of them. */
  async function expectPrefix(store: StateStore): Promise<void> {
    const all = await changes(store);
    expect(all.length).toBeGreaterThan(0);
    all.forEach((change, at) => {
      const i = (at >> 1) + 1;
      const expected = at % 2 === 0 ? `n=${i}` : `k${i % 10}=${i}`;
      if (change !== expected) expect(change).toBe(expected);
    });
  }

  test('by its time limit leaves what it had written, in order', async () => {
    const { store, host } = await open(createMemoryBackend());
    expect((await runScript(host, { source: loop, timeoutSeconds: 1 })).error?.code).toBe('SCRIPT_TIMEOUT');
    await expectPrefix(store);
  });

  test('because the host closes leaves what it had written, in order', async () => {
    const { store, host } = await open(createMemoryBackend());
    const running = runScript(host, loop);
    while ((await valueAt(store, 'n')) === undefined) await delay(1);
    await host.close();
    await expectPrefix(store);
    expect((await running).error?.code).toBe('ABORTED');
  });

  test.each([
    ['by an error', 'error("x")', 1],
    ['by os.exit', 'os.exit(3)', 3],
    ['in the middle of a coroutine', 'coroutine.wrap(function() os.exit(4) end)()', 4],
  ])('%s leaves all it had written', async (_, end, code) => {
    const { store, host } = await open(createMemoryBackend());
    const { exitCode } = await runScript(host, `for i = 1, 5000 do State.set("n", i) end ${end}`);
    expect(exitCode).toBe(code);
    expect(await valueAt(store, 'n')).toBe(5000);
  });
});

test('with durability "always" a set returns when the backend has it', async () => {
  const backend = createMemoryBackend();
  let synced = 0;
  const commit = backend.commit.bind(backend);
  backend.commit = async (batch, options) => {
    await commit(batch, options);
    if (options.sync) synced++;
  };
  const { lua } = await open(backend, {
    durability: 'always',
    calls: () => ({ create_backup: async () => synced }),
  });
  await lua(`
    local before = State.create_backup()
    for i = 1, 5 do
      State.set("k", i) assert(State.get("k") == i)
      assert(State.create_backup() == before + i)
    end`);
});

test('a read-only state refuses a set where it stands', async () => {
  const { host } = await open(createMemoryBackend(), { readOnly: true });
  const { error } = await runScript(host, { source: 'State.get("k")\nState.set("k", 1)\nprint(1)', chunkName: '=lua' });
  expect(error?.message).toMatch(/^lua:2: .*read-only/);
});

describe('a write that the backend refuses', () => {
  /** Fails every commit after the first `good` ones. */
  function failing(): StateBackend & { isFull: boolean } {
    const backend = Object.assign(createMemoryBackend(), { isFull: false });
    const commit = backend.commit.bind(backend);
    backend.commit = async (batch, options) => {
      if (backend.isFull) throw Object.assign(new Error('the disk is full'), { code: 'ENOSPC' });
      await commit(batch, options);
    };
    return backend;
  }

  test('is raised by flush', async () => {
    const backend = failing();
    const { lua } = await open(backend);
    backend.isFull = true;
    expect(await lua('State.set("k", 1) print(pcall(State.flush))')).toMatch(/^false\t.*disk is full/);
  });

  test('ends a script that only writes, although its ring was full', async () => {
    const backend = failing();
    const { host } = await open(backend);
    backend.isFull = true;
    const { error } = await runScript(host, 'for i = 1, 1e9 do State.set("k" .. i, ("x"):rep(1000)) end');
    expect(error?.message).toMatch(/disk is full/);
    expect(error?.code).toBe('SCRIPT_ERROR');
  });

  test('is how a script ends that was not told, and what it could not keep is not read', async () => {
    const backend = failing();
    const { store, host, lua } = await open(backend, { flushIntervalMs: 2 });
    await lua('State.set("kept", 1) State.flush()');
    backend.isFull = true;
    const source = `
      State.set("lost", 1)
      local from = os.clock() repeat until os.clock() - from > 0.2
      assert(State.get("lost") == nil and State.get("kept") == 1)
      State.set("again", 1)`;
    const { error, exitCode } = await runScript(host, source);
    expect(error?.message).toMatch(/disk is full/);
    expect(exitCode).not.toBe(0);
    expect(await valueAt(store, 'kept')).toBe(1);
  });
});
