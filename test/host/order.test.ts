import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { ScriptHost } from '../../src/host/script-host.js';
import { StateService } from '../../src/host/state-service.js';
import { decodeValue, encodeValue } from '../../src/state/codec.js';
import type { Change, StateStore } from '../../src/state/types.js';
import { type Bytes, latin1Of, utf8 } from '../../src/util/bytes.js';
import { backends, openForTest, openSharedForTest } from '../state/stores.js';
import { temporaryDirectory } from '../state/temporary.js';
import { MACHINE, runScript, scriptHost } from './script-runs.js';

const KEYS = Array.from({ length: 40 }, (_, i) => `k${String(i).padStart(2, '0')}`);
const SCOPE = utf8('s');
const OPTIONS = { flushIntervalMs: 5 };

/** Sets its keys to values that come once only, in turns quicker and slower than they are committed. */
const writer = (name: string) => `
  local n = 0
  while not State.get("control", "stop") do
    for _ = 1, math.random(200) do
      n = n + 1
      local key = ("k%02d"):format(math.random(0, 39))
      if n % 9 == 0 then State.delete("s", key) else State.set("s", key, "${name}" .. n) end
    end
    if n % 7 == 0 then State.flush() end
  end`;

/** Tells what it reads: again and again one after the other, the ones that a list names, and any. */
const reader = (rounds: number) => `
  local function tell(key) print(key, State.get("s", key)) end
  for _ = 1, ${rounds} do
    for i = 0, 39 do tell(("k%02d"):format(i)) end
    for _, key in ipairs(State.list("s")) do tell(key) end
    for _ = 1, 40 do tell(("k%02d"):format(math.random(0, 39))) end
  end`;

/** What each key was, change by change: from which sequence number on, and what then. */
async function livesOf(store: StateStore): Promise<Map<string, { from: number; value: string }[]>> {
  const lives = new Map(KEYS.map((key) => [key, [{ from: 0, value: 'nil' }]]));
  const snapshot = await store.snapshot();
  for await (const page of snapshot.changesSince(0))
    for (const record of page) {
      if (!('key' in record)) throw new Error('a rewind');
      const value = record.value === null ? 'nil' : (decodeValue(record.value) as string);
      lives.get(latin1Of(record.key))?.push({ from: record.seq, value });
    }
  await snapshot.close();
  return lives;
}

/** Fails where what was read one after the other is not what the state was at moments one after the other. */
function expectNothingWentBack(text: string, lives: Map<string, { from: number; value: string }[]>): number {
  let now = 0;
  const reads = text.trim().split('\n');
  for (const [i, line] of reads.entries()) {
    const [key = '', value] = line.split('\t');
    const life = lives.get(key)!;
    const at = life.findIndex((one, n) => one.value === value && (life[n + 1]?.from ?? Number.POSITIVE_INFINITY) > now);
    if (at < 0) expect(`read ${i}: ${line}`).toBe(`what ${key} was at or after change ${now}`);
    now = Math.max(now, life[at]!.from);
  }
  return reads.length;
}

/** Puts another state in the place of the present one, as a restore does. */
async function swap(store: StateStore, round: number): Promise<void> {
  const generation = await store.newGeneration();
  const value = encodeValue(`restored${round}`);
  const raw = (key: string): Bytes => Buffer.concat([SCOPE, Uint8Array.of(0, 1), utf8(key)]);
  const kept = KEYS.filter((_, i) => i % 3 !== round % 3);
  await generation.write(kept.map((key) => ({ key: raw(key), value })));
  const changes = KEYS.map(
    (key): Change => ({ scope: SCOPE, key: utf8(key), value: kept.includes(key) ? value : null }),
  );
  await generation.activate({
    description: 'test',
    keepOld: false,
    changes: (async function* () {
      yield changes;
    })(),
  });
}

/** The state that is written to, what its readers have of it, and how much they read. */
const places: Record<string, () => Promise<{ store: StateStore; seen: StateStore; rounds: number }>> = {
  ...Object.fromEntries(
    ['memory', 'level'].map((kind) => [
      kind,
      async () => {
        const store = await openForTest(await backends[kind]!(), OPTIONS);
        return { store, seen: store, rounds: 25 };
      },
    ]),
  ),
  'what another process holds': async () => {
    const directory = join(await temporaryDirectory(), 'state');
    const store = await openSharedForTest(directory, OPTIONS);
    return { store, seen: await openSharedForTest(directory, OPTIONS), rounds: 8 };
  },
};

function hostOn(store: StateStore): ScriptHost {
  const host = scriptHost({
    machine: { ...MACHINE, state: true },
    timeoutSeconds: 60,
    service: new StateService({ store: async () => store }),
  });
  onTestFinished(() => host.close());
  return host;
}

test.each(Object.keys(places))('over %s no read of a script goes back in the order of the changes', async (place) => {
  const { store, seen, rounds } = await places[place]!();
  const [writing, reading] = [hostOn(store), hostOn(seen)];
  const readers = Promise.all([1, 2].map(() => runScript(reading, reader(rounds))));
  const writers = ['a', 'b'].map((name) => runScript(writing, writer(name)));
  let isOver = false;
  const others = (async () => {
    for (let round = 0; !isOver; round++) {
      await delay(2);
      const key = utf8(KEYS[round % KEYS.length]!);
      await store.write([{ scope: SCOPE, key, value: encodeValue(`host${round}`) }]);
      if (round % 40 === 20) await swap(store, round);
    }
  })();
  const outcomes = await readers;
  isOver = true;
  await others;
  await store.write([{ scope: utf8('control'), key: utf8('stop'), value: encodeValue(true) }]);
  for (const { error } of [...outcomes, ...(await Promise.all(writers))]) expect(error).toBe(undefined);
  const lives = await livesOf(store);
  for (const { text } of outcomes) expect(expectNothingWentBack(text, lives)).toBeGreaterThan(80 * rounds);
});
