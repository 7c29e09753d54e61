import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type {
  BackendEntry,
  BackendOperation,
  BackendView,
  KeyRange,
  StateBackend,
} from '../../../src/state/backend.js';
import { createLevelBackend } from '../../../src/state/backends/level.js';
import { checkState } from '../../../src/state/check.js';
import { encodeKey } from '../../../src/state/key.js';
import { packPage } from '../../../src/state/packed-page.js';
import { repairState } from '../../../src/state/repair.js';
import { openStore } from '../../../src/state/store.js';
import type { StateStore } from '../../../src/state/types.js';
import { utf8 } from '../../../src/util/bytes.js';
import { dumpLive, put, read } from '../stores.js';
import { temporaryDirectory } from '../temporary.js';

const child = fileURLToPath(new URL('tables-child.js', import.meta.url));
const stateDirectory = async () => join(await temporaryDirectory(), 'state');
const filesOf = (directory: string): string[] => {
  const tables = join(directory, 'tables');
  return existsSync(tables) ? readdirSync(tables) : [];
};
const tableOf = (directory: string): string => join(directory, 'tables', filesOf(directory)[0]!);

async function load(backend: StateBackend, from: string, to: string, entries: readonly BackendEntry[], pageSize = 100) {
  const pages = async function* () {
    for (let at = 0; at < entries.length; at += pageSize) yield packPage(entries.slice(at, at + pageSize));
  };
  await backend.load!({ gte: utf8(from), lt: utf8(to) }, pages());
}

async function entriesOf(view: BackendView, range: KeyRange = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const page of view.iterate(range))
    for (const [key, value] of page) lines.push(`${Buffer.from(key)}=${Buffer.from(value)}`);
  return lines;
}

/** A key of the letter and a number. */
const name = (letter: string, i: number) => `${letter}${String(i).padStart(5, '0')}`;

const step = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('load' as const),
      letter: fc.nat(3),
      values: fc.array(fc.nat(999), { maxLength: 60 }),
      size: fc.integer({ min: 1, max: 900 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('commit' as const),
      changes: fc.array(fc.tuple(fc.nat(3), fc.nat(999), fc.boolean()), { maxLength: 30 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('clear' as const), letter: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('clearPart' as const),
      letter: fc.nat(3),
      from: fc.nat(999),
      to: fc.nat(999),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('snapshot' as const) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('reopen' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('read' as const),
      from: fc.nat(4000),
      to: fc.nat(4000),
      limit: fc.option(fc.integer({ min: 1, max: 40 })),
      reverse: fc.boolean(),
      keysOnly: fc.boolean(),
    }),
  },
);
const LETTERS = 'bdfh';
const at = (n: number) => name(LETTERS[Math.floor(n / 1000)] ?? 'z', n % 1000);

test('loads, commits, snapshots, ranges and reopenings in any order do what they do to a plain map', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const directory = await stateDirectory();
      let backend = createLevelBackend({ directory });
      await backend.open();
      const model = new Map<string, string>();
      const lines = (map = model) => [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => `${k}=${v}`);
      let snapshots: { view: Awaited<ReturnType<StateBackend['snapshot']>>; expected: string[] }[] = [];
      const compare = async () => {
        expect(await entriesOf(backend)).toEqual(lines());
        for (const { view, expected } of snapshots) expect(await entriesOf(view)).toEqual(expected);
      };
      for (const one of steps) {
        if (one.op === 'load') {
          const letter = LETTERS[one.letter]!;
          const bounds = { gte: utf8(letter), lt: utf8(`${letter}~`) };
          await backend.clearRange(bounds);
          for (const key of model.keys()) if (key[0] === letter) model.delete(key);
          const keys = [...new Set(one.values)].sort((a, b) => a - b).map((i) => name(letter, i));
          for (const key of keys) model.set(key, `${key} loaded `.repeat(one.size));
          const entries = keys.map((key): BackendEntry => [utf8(key), utf8(model.get(key)!)]);
          await load(backend, letter, `${letter}~`, entries, 7);
        } else if (one.op === 'commit') {
          const operations = one.changes.map(([letter, i, isPut]): BackendOperation => {
            const key = name(LETTERS[letter]!, i);
            if (isPut) model.set(key, `put ${i}`);
            else model.delete(key);
            return isPut ? { type: 'put', key: utf8(key), value: utf8(`put ${i}`) } : { type: 'del', key: utf8(key) };
          });
          await backend.commit({ operations }, { sync: false });
        } else if (one.op === 'clear' || one.op === 'clearPart') {
          const letter = LETTERS[one.letter]!;
          const [gte, lt] =
            one.op === 'clear' ? [letter, `${letter}~`] : [name(letter, one.from), name(letter, one.to)];
          await backend.clearRange({ gte: utf8(gte), lt: utf8(lt) });
          for (const key of model.keys()) if (key >= gte && key < lt) model.delete(key);
        } else if (one.op === 'snapshot') snapshots.push({ view: await backend.snapshot(), expected: lines() });
        else if (one.op === 'reopen') {
          await compare();
          for (const { view } of snapshots) await view.close();
          snapshots = [];
          await backend.close();
          backend = createLevelBackend({ directory });
          await backend.open();
        } else {
          const [gte, lt] = [at(one.from), at(one.to)];
          const expected = lines().filter((line) => line >= gte && line < lt);
          if (one.reverse) expected.reverse();
          const range = { gte: utf8(gte), lt: utf8(lt), reverse: one.reverse, keysOnly: one.keysOnly };
          const found = await entriesOf(backend, { ...range, ...(one.limit !== null && { limit: one.limit }) });
          const wanted = expected.slice(0, one.limit ?? undefined);
          expect(found).toEqual(one.keysOnly ? wanted.map((line) => line.replace(/=.*/s, '=')) : wanted);
          for (const key of [gte, lt]) {
            const value = model.get(key);
            expect(backend.getSync!(utf8(key))?.toString()).toBe(
              value === undefined ? undefined : utf8(value).toString(),
            );
          }
        }
      }
      await compare();
      for (const { view } of snapshots) await view.close();
      await backend.clearRange({});
      await backend.close();
      expect(filesOf(directory)).toEqual([]);
    }),
    { numRuns: 60 },
  );
}, 60_000);

/** An open backend with 2000 loaded entries, `a00000` to `a01999`. */
async function loaded(): Promise<{ directory: string; backend: StateBackend; lines: string[] }> {
  const directory = await stateDirectory();
  const backend = createLevelBackend({ directory });
  await backend.open();
  const entries = Array.from({ length: 2000 }, (_, i): BackendEntry => [utf8(name('a', i)), Buffer.alloc(90, `${i} `)]);
  await load(backend, 'a', 'b', entries);
  return { directory, backend, lines: entries.map(([key, value]) => `${Buffer.from(key)}=${Buffer.from(value)}`) };
}

test('a table file is private, and gone when its range is cleared and nobody looks at it any more', async () => {
  const { directory, backend, lines } = await loaded();
  expect((await stat(tableOf(directory))).mode & 0o777).toBe(0o600);
  expect((await stat(join(directory, 'tables'))).mode & 0o777).toBe(0o700);
  const snapshot = await backend.snapshot();
  await backend.clearRange({ gte: utf8('a'), lt: utf8('b') });
  expect(await entriesOf(backend)).toEqual([]);
  expect(await entriesOf(snapshot)).toEqual(lines);
  expect(filesOf(directory)).toHaveLength(1);
  await snapshot.close();
  expect(filesOf(directory)).toEqual([]);
  await backend.close();
});

test('a table that was given up with a snapshot open is removed at the next open', async () => {
  const { directory, backend } = await loaded();
  await backend.snapshot();
  await backend.clearRange({ gte: utf8('a'), lt: utf8('b') });
  await backend.close();
  const again = createLevelBackend({ directory });
  await again.open();
  expect(filesOf(directory)).toEqual([]);
  await again.close();
});

test('deleting what is not in a table leaves nothing behind, and what is in it hides it once', async () => {
  const { directory, backend } = await loaded();
  const del = (key: string): BackendOperation => ({ type: 'del', key: utf8(key) });
  await backend.commit({ operations: [del('a00001'), del('a00001x'), del('a'), del('azzz')] }, { sync: true });
  await backend.commit({ operations: [del('a00001')] }, { sync: true });
  await backend.close();
  const { Level } = await import('level');
  const database = new Level<Uint8Array, Uint8Array>(join(directory, 'db'), { keyEncoding: 'view' });
  const marks = (await database.keys({ gte: Uint8Array.of(0, 0xfe), lt: Uint8Array.of(0, 0xff) }).all()).map((key) =>
    Buffer.from(key.subarray(2)).toString(),
  );
  await database.close();
  expect(marks).toEqual(['a00001']);
});

test('a view can be read while its table goes, and not after the backend was closed', async () => {
  const { backend, lines } = await loaded();
  const snapshot = await backend.snapshot();
  const iterator = snapshot.iterate({})[Symbol.asyncIterator]();
  await iterator.next();
  await backend.clearRange({});
  expect(await entriesOf(snapshot)).toEqual(lines);
  await backend.close();
  const closed = { code: 'STATE_CLOSED' };
  await expect(snapshot.get(utf8('a00001'))).rejects.toMatchObject(closed);
  await expect(entriesOf(snapshot)).rejects.toMatchObject(closed);
  await expect(load(backend, 'c', 'd', [[utf8('c'), utf8('1')]])).rejects.toMatchObject(closed);
});

describe('a process killed', () => {
  const steps = [
    ['load', 'rename', 'before', 0],
    ['load', 'rename', 'after', 0],
    ['clear', 'unlink', 'before', 0],
    ['clear', 'unlink', 'after', 0],
  ] as const;

  test.each(steps)(
    'in %s, at %s, %s it, leaves all or nothing, and no file that nobody knows',
    async (work, call, when, count) => {
      const directory = await stateDirectory();
      const run = (...args: string[]) => spawnSync(process.execPath, [child, directory, ...args], { encoding: 'utf8' });
      if (work === 'clear') expect(run('load', 'none', 'before').stdout).toBe('done');
      expect(run(work, call, when).signal).toBe('SIGKILL');
      expect(filesOf(directory).length).toBe(work === 'clear' && when === 'after' ? 0 : 1);
      const backend = createLevelBackend({ directory });
      await backend.open();
      expect(await entriesOf(backend)).toHaveLength(count);
      expect(filesOf(directory)).toEqual([]);
      await load(backend, 'a', 'b', [[utf8('a'), utf8('again')]]);
      expect(await entriesOf(backend)).toEqual(['a=again']);
      await backend.close();
      expect((await checkState(createLevelBackend({ directory }))).problems).toEqual([]);
    },
  );
});

/** A closed store whose 3000 entries were loaded, and some changed since. */
async function loadedStore(): Promise<{ directory: string; lines: string[] }> {
  const directory = await stateDirectory();
  const store = await openStore(createLevelBackend({ directory, loadFromBytes: 0 }));
  await fill(store);
  await put(store, 'k00007', 'changed');
  await put(store, 'k00008', null);
  await put(store, 'new', 'new');
  const lines = await dumpLive(store);
  await store.close();
  return { directory, lines };
}

async function fill(store: StateStore): Promise<void> {
  const generation = await store.newGeneration();
  for (let page = 0; page < 30; page++) {
    const keys = Array.from({ length: 100 }, (_, i) => name('k', 100 * page + i));
    await generation.write(
      keys.map((key) => ({ key: encodeKey(utf8('s'), utf8(key)), value: utf8(`${key} ${'x'.repeat(90)}`) })),
    );
  }
  expect(await generation.verify()).toBe(true);
  await generation.activate({ description: 'backup', rewind: { position: { storeId: 'x', seq: 1, timeMs: 1 } } });
}

async function flip(path: string, part: number): Promise<void> {
  const bytes = await readFile(path);
  const index = Math.floor(part * bytes.length);
  bytes[index] = bytes[index]! ^ 4;
  await writeFile(path, bytes);
}

describe('a damaged table', () => {
  test.each(['missing', 'cut short'] as const)('that is %s is named at the open, and by a check', async (how) => {
    const { directory } = await loadedStore();
    const path = tableOf(directory);
    if (how === 'missing') rmSync(path);
    else truncateSync(path, statSync(path).size - 100);
    const damaged = { code: 'STATE_DAMAGED', exitCode: 4, message: expect.stringContaining(path) };
    await expect(openStore(createLevelBackend({ directory }))).rejects.toMatchObject(damaged);
    const { problems } = await checkState(createLevelBackend({ directory }));
    expect(problems).toEqual([expect.stringContaining(path)]);
  });

  test('with a flipped bit refuses what it hits, naming the file, and nothing else', async () => {
    const { directory } = await loadedStore();
    const path = tableOf(directory);
    await flip(path, 0.5);
    const store = await openStore(createLevelBackend({ directory }));
    let refused = 0;
    for (let i = 0; i < 3000; i++) {
      const expected = i === 7 ? 'changed' : i === 8 ? undefined : `${name('k', i)} ${'x'.repeat(90)}`;
      try {
        expect(await read(store, name('k', i))).toBe(expected);
      } catch (error) {
        expect(error).toMatchObject({ code: 'STATE_DAMAGED', message: expect.stringContaining(path) });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(200);
    const damaged = { code: 'STATE_DAMAGED', message: expect.stringContaining(path) };
    await expect(dumpLive(store)).rejects.toMatchObject(damaged);
    // What is damaged may be replaced, and deleted.
    for (let i = 0; i < 3000; i++) await put(store, name('k', i), i % 2 === 0 ? 'whole' : null);
    expect(await read(store, 'k01500')).toBe('whole');
    expect(await read(store, 'k01501')).toBeUndefined();
    await store.close();
    expect((await checkState(createLevelBackend({ directory }))).problems[0]).toContain(path);
  });

  test.each([
    ['a flipped bit', (path: string) => flip(path, 0.5)],
    ['a flipped bit in its index', (path: string) => flip(path, 0.995)],
    ['its end cut off', async (path: string) => truncateSync(path, Math.floor(statSync(path).size * 0.7))],
    ['a hole', (path: string) => punch(path)],
    [
      'a hole and no end',
      async (path: string) => {
        await punch(path);
        truncateSync(path, statSync(path).size - 50);
      },
    ],
  ])('with %s is rescued as far as it can be read', async (_, damage) => {
    const { directory, lines } = await loadedStore();
    const path = tableOf(directory);
    await damage(path);
    const target = join(await temporaryDirectory(), 'rescued');
    const repair = await repairState(directory, target);
    expect(repair.problems[0]).toContain(path);
    const store = await openStore(createLevelBackend({ directory: target }));
    const rescued = await dumpLive(store);
    await store.close();
    expect(rescued.length).toBe(repair.rescued);
    expect(rescued.length).toBeGreaterThan(1800);
    const known = new Set(lines);
    // What was deleted since comes back where the mark for it can be read, which it can.
    expect(rescued.filter((line) => !known.has(line))).toEqual([]);
    expect(rescued).toContain('s/new=new');
  });

  async function punch(path: string): Promise<void> {
    const bytes = await readFile(path);
    bytes.fill(0, 40_000, 70_000);
    await writeFile(path, bytes);
  }

  test('that is missing is told by a repair, which rescues the rest', async () => {
    const { directory } = await loadedStore();
    const path = tableOf(directory);
    rmSync(path);
    const target = join(await temporaryDirectory(), 'rescued');
    const { problems, rescued } = await repairState(directory, target);
    expect(problems[0]).toContain(path);
    expect(rescued).toBe(2);
  });
});

test('a sound state with a table is found sound, and all of it was read', async () => {
  const { directory } = await loadedStore();
  // Two of them are what was changed since, as it was.
  expect(await checkState(createLevelBackend({ directory }))).toMatchObject({
    isSound: true,
    entries: 3002,
    problems: [],
  });
});

test('where the database is lost beside its tables, no new one is begun over them', async () => {
  const { directory } = await loadedStore();
  rmSync(join(directory, 'db'), { recursive: true });
  rmSync(join(directory, 'holder.json'));
  await expect(openStore(createLevelBackend({ directory }))).rejects.toMatchObject({ code: 'STATE_DAMAGED' });
  expect(filesOf(directory)).toHaveLength(1);
});

test('leftovers are removed when the state is opened, and nothing else', async () => {
  const { directory, lines } = await loadedStore();
  for (const left of ['000009.table', '000001.table.tmp-1-0a']) writeFileSync(join(directory, 'tables', left), 'left');
  const store = await openStore(createLevelBackend({ directory }));
  expect(await dumpLive(store)).toEqual(lines);
  expect(filesOf(directory)).toHaveLength(1);
  await store.close();
});

describe.skipIf(process.getuid?.() !== 0 || process.platform !== 'linux')('on a small disk', () => {
  test('a load that does not fit is refused and leaves nothing, and the state goes on', async () => {
    const place = join(await temporaryDirectory(), 'disk');
    await mkdir(place);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', place]);
    onTestFinished(() => void execFileSync('umount', ['-l', place]));
    const backend = createLevelBackend({ directory: join(place, 'state') });
    await backend.open();
    const many = Array.from({ length: 200 }, (_, i): BackendEntry => [utf8(name('a', i)), Buffer.alloc(100_000, i)]);
    const full = { code: 'STATE_FULL', message: expect.stringContaining(place) };
    await expect(load(backend, 'a', 'b', many, 5)).rejects.toMatchObject(full);
    expect(filesOf(join(place, 'state'))).toEqual([]);
    await backend.commit({ operations: [{ type: 'put', key: utf8('k'), value: utf8('v') }] }, { sync: true });
    await load(backend, 'a', 'b', many.slice(0, 20));
    expect(await entriesOf(backend, { keysOnly: true })).toHaveLength(21);
    await backend.close();
  });
});
