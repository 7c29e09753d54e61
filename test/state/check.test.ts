import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BackendOperation, StateBackend } from '../../src/state/backend.js';
import { createLevelBackend } from '../../src/state/backends/level.js';
import { checkState } from '../../src/state/check.js';
import { encodeKey } from '../../src/state/key.js';
import { concat, generationPrefix } from '../../src/state/layout.js';
import { repairState } from '../../src/state/repair.js';
import { openStore } from '../../src/state/store.js';
import { utf8 } from '../../src/util/bytes.js';
import { dumpLive, openForTest, put, read } from './stores.js';
import { temporaryDirectory } from './temporary.js';

const level = (directory: string) => createLevelBackend({ directory });
const stored = (key: string) => concat(generationPrefix(1), encodeKey(utf8('s'), utf8(key)));

/** A closed store with the keys a, b, c; a and c were changed twice. */
async function sample(): Promise<string> {
  const directory = join(await temporaryDirectory(), 'state');
  const store = await openStore(level(directory), { flushIntervalMs: 60_000 });
  for (const value of ['1', '2'])
    for (const key of ['a', 'b', 'c', 'd']) {
      if (key !== 'b' || value === '1') await put(store, key, value);
      if (key === 'c') await store.flush();
    }
  await put(store, 'd', null);
  await store.setMeta('version', utf8('1.0'));
  await store.close();
  return directory;
}

async function tamper(directory: string, work: (backend: StateBackend) => Promise<void>): Promise<void> {
  const backend = level(directory);
  await backend.open();
  await work(backend);
  await backend.close();
}

const write = (operation: BackendOperation) => (backend: StateBackend) =>
  backend.commit({ operations: [operation] }, { sync: true });

test('a sound state is found sound, and all of it was read', async () => {
  const directory = await sample();
  expect(await checkState(level(directory))).toEqual({
    isSound: true,
    entries: 3,
    segments: 3,
    problemCount: 0,
    problems: [],
  });
  expect((await checkState(level(directory))).isSound).toBe(true);
});

test('a state after restores and rollbacks is sound too', async () => {
  const directory = await sample();
  const store = await openStore(level(directory));
  const generation = await store.newGeneration();
  await generation.write([{ key: encodeKey(utf8('s'), utf8('x')), value: utf8('R') }]);
  const { rollbackId } = await generation.activate({
    description: 'r',
    rewind: { position: { storeId: 'x', seq: 1, timeMs: 1 } },
  });
  await put(store, 'x', 'after');
  await store.rollback(rollbackId!);
  await put(store, 'a', 'again');
  await store.close();
  expect(await checkState(level(directory))).toMatchObject({ isSound: true, problems: [] });
});

test('a damaged value is named', async () => {
  const directory = await sample();
  await tamper(directory, write({ type: 'put', key: stored('b'), value: utf8('rotten value') }));
  const { problems } = await checkState(level(directory));
  expect(problems).toEqual(['The stored value of "b" in scope "s" is damaged.']);
});

test('an entry that history knows of and that is not there is named, also one that is older than it should be', async () => {
  const directory = await sample();
  await tamper(directory, async (backend) => {
    const old = (await backend.get(stored('b')))!;
    await write({ type: 'del', key: stored('a') })(backend);
    await write({ type: 'put', key: stored('c'), value: old })(backend);
  });
  const { problems } = await checkState(level(directory));
  expect(problems).toEqual([
    'The stored value of "c" in scope "s" is damaged.',
    '"a" in scope "s" is missing, or older than history says.',
  ]);
});

test('a gap in history and a damaged segment are named', async () => {
  const directory = await sample();
  await tamper(directory, async (backend) => {
    const segments = [];
    for await (const segment of backend.changesSince(0)) segments.push(segment);
    await backend.trimChanges(segments[0]!.lastSeq);
    const bytes = Buffer.from(segments[1]!.bytes);
    bytes[30] = bytes[30]! ^ 1;
    await backend.commit({ operations: [], segments: [{ ...segments[1]!, bytes }] }, { sync: true });
  });
  const { problems, problemCount } = await checkState(level(directory));
  expect(problemCount).toBe(2);
  expect(problems[0]).toBe('The changes 1 to 3 are missing.');
  expect(problems[1]).toMatch(/^The history of changes 4 to \d+ is damaged/);
});

test('a state that cannot even be opened is a problem, not an error', async () => {
  const directory = await sample();
  rmSync(join(directory, 'db', 'CURRENT'));
  const { isSound, problems } = await checkState(level(directory));
  expect(isSound).toBe(false);
  expect(problems).toEqual([expect.stringContaining('CURRENT')]);
});

test('a state in use can be neither checked nor repaired', async () => {
  const directory = await sample();
  await openForTest(level(directory));
  await expect(checkState(level(directory))).rejects.toMatchObject({ code: 'STATE_LOCKED' });
  await expect(repairState(directory, `${directory}-new`)).rejects.toMatchObject({ code: 'STATE_LOCKED' });
});

test('repair rescues what can be trusted into a new state, and tells what it could not', async () => {
  const directory = await sample();
  await tamper(directory, write({ type: 'put', key: stored('b'), value: utf8('rotten value') }));
  const target = `${directory}-new`;
  expect(await repairState(directory, target)).toEqual({
    rescued: 2,
    lost: 1,
    problems: ['The stored value of "b" in scope "s" is damaged.'],
  });
  expect((await checkState(level(target))).isSound).toBe(true);
  const store = await openForTest(level(target));
  expect(await dumpLive(store)).toEqual(['s/a=2', 's/c=2']);
  expect(Buffer.from((await store.getMeta('version'))!).toString()).toBe('1.0');
  expect(store.position().seq).toBe(8);
  await put(store, 'a', '3');
  const past = await store.at(8);
  expect(Buffer.from((await past.get(utf8('s'), utf8('a')))!).toString()).toBe('2');
  await past.close();
  expect(readdirSync(join(directory, '..')).sort()).toEqual(['state', 'state-new']);
});

test.each(['CURRENT', 'MANIFEST'])("repair does without LevelDB's file %s", async (name) => {
  const directory = await sample();
  for (const file of readdirSync(join(directory, 'db'))) if (file.startsWith(name)) rmSync(join(directory, 'db', file));
  const target = `${directory}-new`;
  expect(await repairState(directory, target)).toMatchObject({ rescued: 3, lost: 0 });
  expect(await read(await openForTest(level(target)), 'b')).toBe('1');
});

test('repair writes over nothing', async () => {
  const directory = await sample();
  const target = await sample();
  await expect(repairState(directory, target)).rejects.toMatchObject({ code: 'USAGE' });
  expect((await checkState(level(target))).isSound).toBe(true);
});
