import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createLevelBackend } from '../../../src/state/backends/level.js';
import { checkState } from '../../../src/state/check.js';
import { decodeKey } from '../../../src/state/key.js';
import { openStore } from '../../../src/state/store.js';
import type { StateStore } from '../../../src/state/types.js';
import { utf8 } from '../../../src/util/bytes.js';
import { changesOf, dumpLive, put, read } from '../stores.js';
import { temporaryDirectory } from '../temporary.js';

const open = (directory: string, options = {}) => openStore(createLevelBackend({ directory }), options);
const s = utf8('s');

/** A closed store of `count` entries, in LevelDB's log or in a table (which it moves its log into when it opens). */
async function filled(count: number, place: 'log' | 'table'): Promise<string> {
  const directory = join(await temporaryDirectory(), 'state');
  const store = await open(directory);
  for (let i = 0; i < count; i++) await put(store, `key ${i}`, textFor(i));
  await store.close();
  if (place === 'table') await (await open(directory)).close();
  return directory;
}

/** Does not compress well, so that most bits of a file are bits of values. */
const textFor = (i: number): string => createHash('sha512').update(`${i}`).digest('base64');
const files = (directory: string, pattern: RegExp): string[] =>
  readdirSync(join(directory, 'db'))
    .filter((name) => pattern.test(name))
    .map((name) => join(directory, 'db', name));

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = bytes[at]! ^ 0x10;
  writeFileSync(file, bytes);
}

test('a store in a new directory is private to its user', async () => {
  const directory = join(await temporaryDirectory(), 'deep', 'state');
  await (await open(directory)).close();
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
});

test('a directory that cannot be made is named', async () => {
  const file = join(await temporaryDirectory(), 'file');
  await writeFile(file, '');
  await expect(open(join(file, 'state'))).rejects.toMatchObject({
    code: 'STATE_UNAVAILABLE',
    exitCode: 3,
    message: expect.stringContaining(join(file, 'state')),
  });
});

test('what was set is there after reopening, with its numbers and times', async () => {
  const directory = join(await temporaryDirectory(), 'state');
  const first = await open(directory, { clock: { nowMs: () => 5e12 } });
  await put(first, 'k', 'v');
  await first.setMeta('version', utf8('1'));
  const position = first.position();
  await first.close();
  const second = await open(directory);
  expect(second.position()).toEqual(position);
  expect(await read(second, 'k')).toBe('v');
  expect(Buffer.from((await second.getMeta('version'))!).toString()).toBe('1');
  await put(second, 'k', 'w');
  expect(second.position()).toEqual({ ...position, seq: 2 });
  await second.close();
});

test('history that was switched off and on again begins anew, and is exact from there', async () => {
  const directory = join(await temporaryDirectory(), 'state');
  const limits = { maxAgeSeconds: 1e6, maxBytes: 1e9 };
  const before = await open(directory);
  await put(before, 'a', '1');
  await put(before, 'b', '1');
  await before.close();
  const off = await open(directory, { history: { enabled: false, ...limits } });
  await put(off, 'a', '2');
  await off.releaseHistory(3);
  await put(off, 'c', '2');
  await off.close();
  const on = await open(directory);
  await put(on, 'a', '3');
  await put(on, 'b', null);
  for (const seq of [1, 2, 3]) await expect(on.at(seq)).rejects.toMatchObject({ code: 'HISTORY_UNREACHABLE' });
  const past = await on.at(4);
  expect(Buffer.from((await past.get(s, utf8('a')))!).toString()).toBe('2');
  expect(await past.list(s)).toHaveLength(3);
  await past.close();
  const snapshot = await on.snapshot();
  expect((await changesOf(snapshot, 3)).map(({ seq }) => seq)).toEqual([4, 5, 6]);
  await snapshot.close();
  await on.close();
});

test('a state written by a newer version is left alone', async () => {
  const directory = await filled(1, 'log');
  const database = new Level<Uint8Array, Uint8Array>(join(directory, 'db'), {
    keyEncoding: 'view',
    valueEncoding: 'view',
  });
  await database.put(new Uint8Array([0]), utf8('llmspell-level-9 and more'));
  await database.close();
  await expect(open(directory)).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' });
});

describe('a missing file is named, and nothing is made anew over what is left', () => {
  test.each([
    ['CURRENT', /^CURRENT$/],
    ['a log', /\.log$/],
    ['a table', /\.ldb$/],
    ['a manifest', /^MANIFEST/],
  ])('%s', async (_, pattern) => {
    const directory = await filled(100, 'table');
    for (const file of files(directory, pattern)) rmSync(file);
    const left = files(directory, /./).filter((file) => !/LOG|LOCK/.test(file));
    await expect(open(directory)).rejects.toMatchObject({
      code: 'STATE_DAMAGED',
      message: expect.stringMatching(new RegExp(`${directory}/db/.*(CURRENT|log|ldb|MANIFEST)`)),
    });
    expect(files(directory, /./).filter((file) => !/LOG|LOCK/.test(file))).toEqual(left);
    await expect(open(directory)).rejects.toMatchObject({ code: 'STATE_DAMAGED' });
  });
});

interface Reading {
  /** Keys that an error was raised for, and keys that seemed not to be there. */
  refused: number;
  hidden: number;
}

/** Reads everything there is. Any value that comes must be right. */
async function readAll(store: StateStore, count: number): Promise<Reading> {
  const reading = { refused: 0, hidden: 0 };
  for (let i = 0; i < count; i++) {
    try {
      const value = await read(store, `key ${i}`);
      if (value === undefined) reading.hidden++;
      else expect(value).toBe(textFor(i));
    } catch (error) {
      if ((error as { code?: string }).code !== 'STATE_DAMAGED') throw error;
      expect((error as Error).message).toMatch(new RegExp(`"key ${i}" in scope "s"`));
      reading.refused++;
    }
  }
  return reading;
}

test('after any flipped bit in a table a value is right, or the error names its scope and key, and a check notices', async () => {
  const count = 300;
  const pristine = await filled(count, 'table');
  let refused = 0;
  for (let round = 0; round < 30; round++) {
    const directory = join(await temporaryDirectory(), 'state');
    await cp(pristine, directory, { recursive: true });
    const table = files(directory, /\.ldb$/)[0]!;
    flip(table, Math.floor((readFileSync(table).length * (round + 0.5)) / 30));
    const reading = await open(directory).then(
      async (store) => {
        const result = await readAll(store, count);
        await store.close();
        return result;
      },
      (error: { code?: string }) => {
        expect(error.code).toBe('STATE_DAMAGED');
        return { refused: 1, hidden: 0 };
      },
    );
    refused += reading.refused;
    const { isSound } = await checkState(createLevelBackend({ directory }));
    if (reading.refused + reading.hidden > 0) expect(isSound).toBe(false);
  }
  expect(refused).toBeGreaterThan(0);
});

test('a flipped bit anywhere in the log of a closed store is noticed when it is opened', async () => {
  const pristine = await filled(200, 'log');
  for (let round = 0; round < 12; round++) {
    const directory = join(await temporaryDirectory(), 'state');
    await cp(pristine, directory, { recursive: true });
    const [log] = files(directory, /\.log$/);
    flip(log!, Math.floor((readFileSync(log!).length * (round + 0.5)) / 12));
    await expect(open(directory)).rejects.toMatchObject({
      code: 'STATE_DAMAGED',
      exitCode: 4,
      message: expect.stringContaining(directory),
    });
    await expect(open(directory)).rejects.toMatchObject({ code: 'STATE_DAMAGED' });
  }
});

test('a snapshot of a large store, read on a thread of its own, holds still and is whole', async () => {
  const directory = join(await temporaryDirectory(), 'state');
  const store = await open(directory);
  const value = (i: number) => Buffer.concat(Array.from({ length: 100 }, (_, n) => utf8(textFor(i * 100 + n))));
  const count = 1500;
  for (let i = 0; i < count; i++) await store.write([{ scope: s, key: utf8(`${i}`), value: value(i) }]);
  const snapshot = await store.snapshot();
  const seen = new Set<number>();
  for await (const page of snapshot.entries()) {
    for (const { key, value: found } of page) {
      const i = Number(Buffer.from(decodeKey(key)!.key).toString());
      expect(Buffer.compare(found, value(i))).toBe(0);
      seen.add(i);
    }
    await put(store, `${count - 1}`, 'changed meanwhile');
    await store.flush();
  }
  expect(seen.size).toBe(count);
  expect((await changesOf(snapshot)).length).toBe(count);
  for await (const page of snapshot.entries([s])) {
    expect(page.length).toBeGreaterThan(0);
    break;
  }
  expect(await snapshot.list(s)).toHaveLength(count);
  await snapshot.close();
  await store.close();
  const again = await open(directory);
  expect(await read(again, `${count - 1}`)).toBe('changed meanwhile');
  await again.close();
});

test('a damaged history names the changes it is about, and the state stays readable', async () => {
  const directory = join(await temporaryDirectory(), 'state');
  const backend = createLevelBackend({ directory });
  const store = await openStore(backend);
  onTestFinished(() => store.close());
  await put(store, 'a', '1');
  await store.flush();
  await put(store, 'a', '2');
  await put(store, 'b', '2');
  await store.flush();
  for await (const segment of backend.changesSince(1)) {
    const bytes = Buffer.from(segment.bytes);
    bytes[40] = bytes[40]! ^ 1;
    await backend.commit({ operations: [], segments: [{ ...segment, bytes }] }, { sync: true });
  }
  await expect(store.at(1)).rejects.toMatchObject({
    code: 'STATE_DAMAGED',
    message: expect.stringContaining('changes 2 to 3'),
  });
  expect(await dumpLive(store)).toEqual(['s/a=2', 's/b=2']);
});

describe.skipIf(process.getuid?.() !== 0 || process.platform !== 'linux')('on a small disk', () => {
  async function smallDisk(size: string): Promise<string> {
    const place = join(await temporaryDirectory(), 'disk');
    await mkdir(place);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', place]);
    onTestFinished(() => {
      execFileSync('umount', ['-l', place]);
    });
    return place;
  }

  test('a full disk is reported to whoever writes or flushes, and what was reported as durable stays', async () => {
    const place = await smallDisk('24m');
    const store = await open(join(place, 'state'));
    let durable = 0;
    const full = { code: 'STATE_FULL', exitCode: 3, message: expect.stringContaining(place) };
    const fill = async () => {
      for (let i = 0; i < 100; i++) {
        // Values that do not compress.
        const value = Buffer.concat(Array.from({ length: 16 }, () => Buffer.from(String(Math.random()).repeat(1700))));
        await store.write([{ scope: s, key: utf8(`${i}`), value: value.map((b, n) => b ^ ((n * i) >> 3)) }]);
        await store.flush();
        durable = i;
      }
    };
    await expect(fill()).rejects.toMatchObject(full);
    await expect(put(store, 'more', 'v')).rejects.toMatchObject(full);
    await expect(store.flush()).rejects.toMatchObject(full);
    expect(await read(store, 'more')).toBeUndefined();
    expect(await store.list(s)).toHaveLength(durable + 1);
    await expect(store.close()).rejects.toMatchObject(full);
    execFileSync('mount', ['-o', 'remount,size=64m', place]);
    const again = await open(join(place, 'state'));
    expect((await again.list(s)).length).toBeGreaterThanOrEqual(durable + 1);
    await put(again, 'more', 'v');
    await again.close();
  });

  test('a read-only disk is named', async () => {
    const place = await smallDisk('16m');
    await (await open(join(place, 'state'))).close();
    execFileSync('mount', ['-o', 'remount,ro', place]);
    await expect(open(join(place, 'state'))).rejects.toMatchObject({
      code: 'STATE_UNAVAILABLE',
      message: expect.stringContaining(place),
    });
  });
});
