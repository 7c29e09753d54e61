import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { createLevelBackend } from '../../src/state/backends/level.js';
import { openStore } from '../../src/state/store.js';
import type { StateStore } from '../../src/state/types.js';
import { utf8 } from '../../src/util/bytes.js';
import { changesOf, dumpLive, openForTest, read } from './stores.js';
import { temporaryDirectory } from './temporary.js';

const child = new URL('crash-child.js', import.meta.url).pathname;
const open = (directory: string) => openStore(createLevelBackend({ directory }));

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [child, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Lets it say at least `lines` lines, then kills it at once; gives what it said. */
async function killAfter(process: ChildProcess, lines: number): Promise<string[]> {
  const said: string[] = [];
  const ended = once(process, 'close');
  createInterface({ input: process.stdout! }).on('line', (line) => {
    said.push(line);
    if (said.length === lines) process.kill('SIGKILL');
  });
  await ended;
  return said;
}

/** The last write that is there, after checking that the state is exactly that of all writes up to it. */
async function lastWrite(store: StateStore): Promise<number> {
  const snapshot = await store.snapshot();
  const changes = await changesOf(snapshot);
  await snapshot.close();
  expect(changes.length % 2).toBe(0);
  const last = changes.length / 2;
  for (let n = 0; n < 100; n++) {
    const newest = n === 0 ? last - (last % 100) : last - ((last - n + 100) % 100);
    const expected = newest >= 1 && newest <= last ? `${newest}` : undefined;
    expect(await read(store, `a${n}`)).toBe(expected);
    expect(await read(store, `b${n}`)).toBe(expected);
  }
  expect(changes.map(({ seq }) => seq)).toEqual(changes.map((_, i) => i + 1));
  return last;
}

test('with durability "always" no write that returned is lost, and none is torn, when the process is killed', async () => {
  const directory = await temporaryDirectory();
  let from = 1;
  for (const lines of [1, 37, 260, 111]) {
    const said = await killAfter(start(directory, 'write', 'always', `${from}`), lines);
    const store = await open(directory);
    const last = await lastWrite(store);
    expect(last).toBeGreaterThanOrEqual(Number.parseInt(said.at(-1)!, 10));
    from = last + 1;
    await store.close();
  }
});

test('with durability "interval" what is there after a kill is a prefix, and only the end of it is missing', async () => {
  const directory = await temporaryDirectory();
  let from = 1;
  for (const lines of [5, 3000, 900]) {
    const said = await killAfter(start(directory, 'write', 'interval', `${from}`), lines);
    const killedAt = Date.now();
    const store = await open(directory);
    const last = await lastWrite(store);
    // An interval is 20 ms here; a busy machine may be late.
    const old = said.map((line) => line.split(' ').map(Number)).findLast(([, time]) => time! < killedAt - 1000);
    expect(last).toBeGreaterThanOrEqual(old?.[0] ?? from - 1);
    from = last + 1;
    await store.close();
  }
});

test('a swap of generations that is killed leaves the old state or the new one, and no leftovers', async () => {
  const directory = await temporaryDirectory();
  let done = 0;
  for (const lines of [1, 4, 2]) {
    const said = await killAfter(start(directory, 'swap', 'interval', `${done + 1}`), lines);
    const backend = createLevelBackend({ directory });
    const store = await openForTest(backend);
    const entries = await dumpLive(store);
    const values = new Set(entries.map((line) => line.split('=')[1]));
    expect(entries.length).toBe(1000);
    expect(values.size).toBe(1);
    done = Number([...values][0]);
    expect(done).toBeGreaterThanOrEqual(Number(said.at(-1)));
    // The live generation and those of the rollback points; one under construction is cleared in the background.
    const generations = 1 + (await store.rollbackPoints()).filter(({ seq }) => seq > 0).length;
    await expect.poll(() => countEntries(backend), { timeout: 20_000 }).toBe(1000 * generations);
    await store.close();
  }
});

async function countEntries(backend: ReturnType<typeof createLevelBackend>): Promise<number> {
  let count = 0;
  for await (const page of backend.iterate({ gte: new Uint8Array([4]), lt: new Uint8Array([5]), keysOnly: true }))
    count += page.length;
  return count;
}

test('a second process is told who has the state, and a killed one blocks nobody', async () => {
  const directory = await temporaryDirectory();
  const holder = start(directory, 'hold', 'interval', '1');
  await once(holder.stdout!, 'data');
  await expect(open(directory)).rejects.toMatchObject({
    code: 'STATE_LOCKED',
    message: `The state in ${directory} is in use by process ${holder.pid}.`,
    exitCode: 3,
  });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const store = await open(directory);
  await store.write([{ scope: utf8('s'), key: utf8('k'), value: utf8('v') }]);
  await expect(open(join(directory, '.'))).rejects.toMatchObject({
    code: 'STATE_LOCKED',
    message: expect.stringContaining(`process ${process.pid}`),
  });
  await store.close();
  await (await open(directory)).close();
});
