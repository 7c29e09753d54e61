import { expect, onTestFinished, test } from 'vitest';
import { StateService } from '../../src/host/state-service.js';
import type { StateBackend } from '../../src/state/backend.js';
import { createMemoryBackend } from '../../src/state/backends/memory.js';
import { encodeValue } from '../../src/state/codec.js';
import type { StateStore } from '../../src/state/types.js';
import { latin1Of, utf8 } from '../../src/util/bytes.js';
import { backends, openForTest } from '../state/stores.js';
import { MACHINE, type Outcome, runScript, scriptHost } from './script-runs.js';

const name = (n: number) => `k${String(n).padStart(4, '0')}`;

/** A state with the keys k0000 to k0999, and how often scripts on it asked for a value. */
async function open(backend: StateBackend) {
  const store = await openForTest(backend, { flushIntervalMs: 10_000 });
  await store.write(
    Array.from({ length: 1000 }, (_, n) => ({ scope: utf8('s'), key: utf8(name(n)), value: encodeValue(n) })),
  );
  await store.flush();
  const asked = { values: 0, more: 0 };
  counting(store, 'get', () => asked.values++);
  counting(store, 'getNow', () => asked.values++);
  counting(store, 'readAhead', () => asked.more++);
  const host = scriptHost({
    machine: { ...MACHINE, state: true },
    service: new StateService({ store: async () => store }),
  });
  onTestFinished(() => host.close());
  const lua = async (source: string): Promise<Outcome> => await runScript(host, { source, chunkName: '=lua' });
  return { store, asked, lua };
}

function counting(store: StateStore, method: 'get' | 'getNow' | 'readAhead', count: () => void): void {
  const original = (store[method] as (...args: unknown[]) => unknown).bind(store);
  Object.assign(store, {
    [method]: (...args: unknown[]) => {
      count();
      return original(...args);
    },
  });
}

test.each(Object.entries(backends))('over %s a loop over a list asks for few of its values', async (_, backend) => {
  const { asked, lua } = await open(await backend());
  const { error } = await lua(`
    local n = 0
    for i, key in ipairs(State.list("s")) do
      assert(State.get("s", key) == i - 1)
      State.set("s", key, i)
      n = n + 1
    end
    assert(n == 1000)
    for i, key in ipairs(State.list("s")) do assert(State.get("s", key) == i) end`);
  expect(error).toBe(undefined);
  expect(asked.values).toBeLessThan(20);
});

test('reads in any order bring hardly anything along', async () => {
  const { asked, lua } = await open(createMemoryBackend());
  await lua('for i = 0, 999 do State.get("s", ("k%04d"):format(i * 389 % 1000)) end');
  expect(asked.values).toBeGreaterThan(900);
  expect(asked.more).toBeLessThan(25);
});

test.each(Object.entries(backends))(
  'over %s what comes along is what was changed and not yet committed',
  async (_, backend) => {
    const { store, asked, lua } = await open(await backend());
    const change = (n: number, value: unknown) =>
      store.write([{ scope: utf8('s'), key: utf8(name(n)), value: value === null ? null : encodeValue(value) }]);
    await change(3, 'changed');
    await change(5, null);
    const { text } = await lua('for i = 0, 9 do print(State.get("s", ("k%04d"):format(i))) end');
    expect(text.split('\n').slice(0, 10)).toEqual(['0', '1', '2', 'changed', '4', 'nil', '6', '7', '8', '9']);
    expect(asked.more).toBeGreaterThan(0);
  },
);

test('a damaged value fails the read that asks for it, and none before', async () => {
  const backend = createMemoryBackend();
  const { lua } = await open(backend);
  for await (const page of backend.iterate({}))
    for (const [key, value] of page)
      if (latin1Of(key).endsWith(name(40))) {
        const damaged = new Uint8Array(value);
        damaged[7]! ^= 1;
        await backend.commit({ operations: [{ type: 'put', key, value: damaged }] }, { sync: false });
      }
  const { error, text } = await lua('for i, key in ipairs(State.list("s")) do print(i, State.get("s", key)) end');
  expect(text.trim().split('\n').length).toBe(40);
  expect(error?.message).toContain('"k0040" in scope "s" is damaged');
});
