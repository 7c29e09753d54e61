import { execFileSync, spawnSync } from 'node:child_process';
import { open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { FileSource } from '../../src/backup/directory-files.js';
import { DirectoryRepository } from '../../src/backup/directory-repository.js';
import { BackupManager } from '../../src/backup/manager.js';
import type { BackupOptions, EncryptionKey } from '../../src/backup/types.js';
import { readZipDirectory, readZipEntry } from '../../src/backup/zip-reader.js';
import { ZipWriter } from '../../src/backup/zip-writer.js';
import { RecoveryOrchestrator } from '../../src/recovery/orchestrator.js';
import { encodeValue } from '../../src/state/codec.js';
import type { StateStore } from '../../src/state/types.js';
import { utf8 } from '../../src/util/bytes.js';
import { archivePath, BACKENDS, type Bench, contentOf, flip, newBench, newDirectory, OPTIONS } from './harness.js';

let bench: Bench;
let there: string;
let file: (name: string) => string;
beforeEach(async () => {
  bench = await newBench();
  there = await newDirectory();
  const directory = await newDirectory();
  file = (name) => join(directory, name);
});

const put = (store: StateStore, key: string | Uint8Array, value: unknown) =>
  store.write([
    {
      scope: utf8('user'),
      key: typeof key === 'string' ? utf8(key) : key,
      value: value === null ? null : encodeValue(value),
    },
  ]);

/** A full backup and two on it; the state of the last. */
async function chain(): Promise<{ ids: string[]; content: Record<string, string> }> {
  const ids: string[] = [];
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 30; i++) await put(bench.store, `key ${i * (round + 1)}`, { round, list: [i, 1.5, `é\0`] });
    await put(bench.store, `key ${round}`, null);
    await put(bench.store, Uint8Array.from([0xff, round]), 2n ** 62n);
    ids.push((await bench.backups.create({ incremental: true, description: 'monthly', tags: ['x'] })).backup.id);
    bench.clock.timeMs += 1000;
  }
  return { ids, content: await contentOf(bench.store) };
}

/** Another machine: another repository, and no state. */
const elsewhere = (options: Partial<BackupOptions> = {}) =>
  new BackupManager({ repository: new DirectoryRepository(there), options: { ...OPTIONS, ...options } });

async function restored(backups: BackupManager, id: string, backend: keyof typeof BACKENDS = 'memory') {
  const store = await BACKENDS[backend]();
  await new RecoveryOrchestrator({ store, backups }).restore({ backupId: id });
  const content = await contentOf(store);
  await store.close();
  return content;
}

describe.each(['state.lsb', 'state.zip'])('exported as %s', (name) => {
  test('a chain is one file, which restores on another machine and with another backend', async () => {
    const { ids, content } = await chain();
    const result = await bench.backups.export(ids[2]!, file(name));
    expect(result).toMatchObject({ chain: ids, entryCount: Object.keys(content).length, warnings: [] });
    const { backup, isNew, warnings } = await elsewhere().import(file(name));
    const { createdAtMs, position } = await bench.backups.find(ids[2]!);
    expect([isNew, warnings]).toEqual([true, []]);
    expect(backup).toMatchObject({ id: ids[2], isIncremental: false, createdAtMs, position, description: 'monthly' });
    expect(backup.tags).toEqual(['x']);
    expect((await elsewhere().validate(backup.id)).isValid).toBe(true);
    expect(await restored(elsewhere(), backup.id, 'level')).toEqual(content);
  });

  test('under an id that is taken it gets another one, and says so', async () => {
    const { ids, content } = await chain();
    await bench.backups.export(ids[2]!, file(name));
    const { backup, warnings } = await bench.backups.import(file(name), { pin: true });
    expect(backup.id).not.toBe(ids[2]);
    expect(backup.pinned).toBe(true);
    expect(warnings).toEqual([`There is another backup ${ids[2]} here, so this one has the id ${backup.id}.`]);
    expect(await restored(bench.backups, backup.id)).toEqual(content);
  });

  test('cut short or changed anywhere, it is refused and leaves nothing, or is the same', async () => {
    const { ids, content } = await chain();
    await bench.backups.export(ids[2]!, file(name));
    const whole = await readFile(file(name));
    const refused = async (bytes: Buffer) => {
      await writeFile(file('bad'), bytes);
      const backups = elsewhere();
      try {
        const { backup } = await backups.import(file('bad'));
        // A zip holds dates, modes and the like, which nothing depends on.
        expect(await restored(backups, backup.id)).toEqual(content);
        await backups.delete(backup.id);
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^(BACKUP_(DAMAGED|VERSION)|VALUE_INVALID)$/) });
      }
      expect((await readdir(there)).filter((left) => left.includes('.lsb'))).toEqual([]);
    };
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flipped) => {
        const bytes = Buffer.from(whole);
        bytes[at] = bytes[at]! ^ flipped;
        await refused(bytes);
      }),
      { numRuns: 60 },
    );
    for (const part of [0, 1, 3, 20, 0.5, 0.99])
      await refused(whole.subarray(0, part < 1 ? whole.length * part : part));
  });

  test('a file that is there is replaced only where that is asked for', async () => {
    const { ids } = await chain();
    await writeFile(file(name), 'precious');
    await expect(bench.backups.export(ids[0]!, file(name))).rejects.toMatchObject({ code: 'OUTPUT_FAILED' });
    expect(await readFile(file(name), 'utf8')).toBe('precious');
    await bench.backups.export(ids[0]!, file(name), { overwrite: true });
    expect((await elsewhere().import(file(name))).isNew).toBe(true);
  });

  test('an export that fails or is stopped leaves no file', async () => {
    const { ids } = await chain();
    const controller = new AbortController();
    const stopped = { signal: controller.signal, onProgress: () => controller.abort() };
    for (const id of [ids[0]!, ids[2]!])
      await expect(bench.backups.export(id, file(name), stopped)).rejects.toMatchObject({ code: 'ABORTED' });
    await flip(archivePath(bench, { id: ids[0]! }));
    for (const id of [ids[0]!, ids[2]!])
      await expect(bench.backups.export(id, file(name))).rejects.toMatchObject({ exitCode: 4 });
    await expect(readFile(file(name))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('an exported archive', () => {
  test('of a full backup is the same file, and importing it twice changes nothing', async () => {
    const { ids } = await chain();
    await bench.backups.export(ids[0]!, file('a.lsb'));
    expect(await readFile(file('a.lsb'))).toEqual(await readFile(archivePath(bench, { id: ids[0]! })));
    expect(await bench.backups.import(file('a.lsb'))).toMatchObject({ isNew: false, warnings: [] });
  });

  test('that rests on one that is not there is refused, and taken where that one is', async () => {
    const { ids } = await chain();
    await expect(elsewhere().import(archivePath(bench, { id: ids[1]! }))).rejects.toMatchObject({
      code: 'BACKUP_CHAIN_BROKEN',
      hint: expect.stringContaining('backup export'),
    });
    await elsewhere().import(archivePath(bench, { id: ids[0]! }));
    expect((await elsewhere().import(archivePath(bench, { id: ids[1]! }))).backup.parentId).toBe(ids[0]);
  });

  const keyed = (byte: number) => {
    const key: EncryptionKey = { kind: 'raw', bytes: new Uint8Array(32).fill(byte) };
    return { key, options: { encryptionKey: async () => key } };
  };

  test('that is encrypted is read with its key only, and encrypted anew with that of the other place', async () => {
    const [ours, theirs] = [keyed(1), keyed(2)];
    bench = await newBench(ours.options);
    const { ids, content } = await chain();
    await bench.backups.export(ids[2]!, file('a.lsb'));
    for (const options of [{}, theirs.options])
      await expect(elsewhere(options).import(file('a.lsb'))).rejects.toMatchObject({ code: 'BACKUP_KEY' });
    const { backup } = await elsewhere(theirs.options).import(file('a.lsb'), { key: ours.key });
    expect(await restored(elsewhere(theirs.options), backup.id)).toEqual(content);
    await elsewhere(theirs.options).delete(backup.id);
    const kept = await elsewhere().import(file('a.lsb'), { key: ours.key });
    expect(kept.warnings).toEqual(['It stays encrypted: name its key in the configuration to use it.']);
    expect(await restored(elsewhere(ours.options), kept.backup.id)).toEqual(content);
  });

  test('is encrypted on its way in where the other place encrypts; and a zip of an encrypted one warns', async () => {
    const { ids, content } = await chain();
    await bench.backups.export(ids[2]!, file('a.lsb'));
    const { options } = keyed(1);
    const { backup } = await elsewhere(options).import(file('a.lsb'));
    expect(backup.encrypted).toBe(true);
    const { warnings } = await elsewhere(options).export(backup.id, file('a.zip'));
    expect(warnings).toEqual([expect.stringContaining('the zip is not')]);
    expect(await restored(elsewhere(options), backup.id)).toEqual(content);
  });
});

/** A zip of these files, as some other tool would make it. */
async function zip(name: string, files: [string, string | Uint8Array][]): Promise<void> {
  const handle = await open(file(name), 'w');
  const writer = new ZipWriter(handle, Date.now());
  for (const [path, content] of files) await writer.add(path, [typeof content === 'string' ? utf8(content) : content]);
  await writer.finish();
  await handle.close();
}

describe('an exported zip', () => {
  const parts = async (): Promise<{ manifest: Record<string, unknown>; state: string }> => {
    const { ids } = await chain();
    await bench.backups.export(ids[2]!, file('a.zip'));
    const source = await FileSource.open(file('a.zip'));
    const texts: Record<string, string> = {};
    for (const entry of await readZipDirectory(source))
      for await (const piece of readZipEntry(source, entry))
        texts[entry.name] = (texts[entry.name] ?? '') + Buffer.from(piece).toString();
    await source.close();
    return { manifest: JSON.parse(texts['manifest.json']!), state: texts['state.jsonl']! };
  };

  test('is what other tools open and a person reads', async () => {
    const { manifest, state } = await parts();
    expect(manifest).toMatchObject({
      format: 'llmspell-backup',
      version: 1,
      description: 'monthly',
      schema_version: null,
    });
    const lines = state
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toContainEqual({ scope: 'user', key: 'key 84', value: { round: 2, list: [28, 1.5, 'é\0'] } });
    expect(lines.at(-1)).toEqual({ scope: 'user', key: { $bytes: '/wI=' }, value: { $int: '4611686018427387904' } });
    if (spawnSync('unzip', ['-v']).status !== 0) return;
    execFileSync('unzip', ['-tqq', file('a.zip')]);
    expect(execFileSync('unzip', ['-p', file('a.zip'), 'state.jsonl'], { encoding: 'utf8' })).toBe(state);
  });

  test.each<[string, (parts: { manifest: Record<string, unknown>; state: string }) => [string, string][], string]>([
    [
      'a name that leads elsewhere',
      () => [['../../etc/cron.d/x', 'evil']],
      'holds "../../etc/cron.d/x", which is no part of a backup',
    ],
    ['no manifest', ({ state }) => [['state.jsonl', state]], 'has no manifest.json'],
    [
      'two of them',
      ({ manifest }) => Array(2).fill(['manifest.json', JSON.stringify(manifest)]),
      'has more than one manifest.json',
    ],
    [
      'one of something else',
      () => [['manifest.json', '{"format": "x"}']],
      'manifest.json is not that of a backup (format)',
    ],
    ['one that is no JSON', () => [['manifest.json', 'x']], 'manifest.json is not that of a backup'],
    [
      'an id that is a path',
      ({ manifest }) => [['manifest.json', JSON.stringify({ ...manifest, id: '../../../../x' })]],
      '(id)',
    ],
    ['no state', ({ manifest }) => [['manifest.json', JSON.stringify(manifest)]], 'has no state.jsonl'],
    [
      'a shorter state',
      ({ manifest, state }) => [
        ['manifest.json', JSON.stringify(manifest)],
        ['state.jsonl', state.slice(9)],
      ],
      'where its manifest says',
    ],
  ])('with %s is refused, and nothing is written', async (_, make, sentence) => {
    await zip('bad.zip', make(await parts()));
    await expect(elsewhere().import(file('bad.zip'))).rejects.toMatchObject({
      code: 'BACKUP_DAMAGED',
      message: expect.stringContaining(sentence),
      hint: expect.stringContaining('Nothing was imported.'),
    });
    expect((await readdir(there)).filter((name) => name.includes('.lsb'))).toEqual([]);
  });

  test('of a later version says so', async () => {
    const { manifest, state } = await parts();
    await zip('new.zip', [
      ['manifest.json', JSON.stringify({ ...manifest, version: 2 })],
      ['state.jsonl', state],
    ]);
    await expect(elsewhere().import(file('new.zip'))).rejects.toMatchObject({ code: 'BACKUP_VERSION' });
  });

  test.each([
    ['twice the same', (lines: string[]) => [...lines, lines.at(-1)!], 'not in order'],
    ['out of order', (lines: string[]) => lines.toReversed(), 'line 2 of its state.jsonl is not in order'],
    ['with a line that is no entry', (lines: string[]) => ['{"scope": "a"}', ...lines], 'Entry 1'],
    ['with one too few', (lines: string[]) => lines.slice(1), 'lines where its manifest says'],
    ['with other values', (lines: string[]) => lines.map((line) => line.replace('"round":0', '"round":7')), 'SHA-256'],
  ])('with a state %s is refused', async (_, change, sentence) => {
    const { manifest, state } = await parts();
    const changed = `${change(state.trimEnd().split('\n')).join('\n')}\n`;
    const described = { ...(manifest.state as object), bytes: Buffer.byteLength(changed) };
    await zip('bad.zip', [
      ['manifest.json', JSON.stringify({ ...manifest, state: described })],
      ['state.jsonl', changed],
    ]);
    await expect(elsewhere().import(file('bad.zip'))).rejects.toMatchObject({
      message: expect.stringContaining(sentence),
    });
  });

  test('that unpacks to more than it says is refused as soon as it does', async () => {
    const { manifest } = await parts();
    const claimed = 1000;
    const described = { ...(manifest.state as object), bytes: claimed };
    await zip('bomb.zip', [
      ['manifest.json', JSON.stringify({ ...manifest, state: described })],
      ['state.jsonl', Buffer.alloc(300_000_000)],
    ]);
    // The sizes in the directory are made to agree with the manifest.
    const bytes = await readFile(file('bomb.zip'));
    const at = bytes.lastIndexOf('state.jsonl') - 46;
    bytes.writeUInt32LE(claimed, at + 24);
    await writeFile(file('bomb.zip'), bytes);
    expect(bytes.length).toBeLessThan(400_000);
    const before = process.memoryUsage().rss;
    await expect(elsewhere().import(file('bomb.zip'))).rejects.toMatchObject({
      message: expect.stringContaining('longer than the 1000 bytes it claims'),
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
  });
});

test('numbers beyond 4 GiB are written and read in the ZIP64 form, which other tools read too', async () => {
  const handle = await open(file('big.zip'), 'w');
  const writer = new ZipWriter(handle, Date.UTC(2026, 0, 1), 10);
  await writer.add('a.txt', [utf8('first '), utf8('second')]);
  await writer.add('b.txt', [utf8('x'.repeat(1000))]);
  await writer.finish();
  await handle.close();
  const source = await FileSource.open(file('big.zip'));
  const entries = await readZipDirectory(source);
  expect(entries.map(({ name, bytes }) => [name, bytes])).toEqual([
    ['a.txt', 12],
    ['b.txt', 1000],
  ]);
  const pieces: Uint8Array[] = [];
  for await (const piece of readZipEntry(source, entries[0]!)) pieces.push(piece);
  expect(Buffer.concat(pieces).toString()).toBe('first second');
  await source.close();
  if (spawnSync('unzip', ['-v']).status === 0) execFileSync('unzip', ['-tqq', file('big.zip')]);
});

test('files that other tools pack again are read: stored ones, with a comment behind', async () => {
  const deflated = deflateRawSync('content');
  const handle = await open(file('c.zip'), 'w');
  const writer = new ZipWriter(handle, 0);
  await writer.add('a', [utf8('content')]);
  await writer.finish();
  await handle.close();
  const bytes = Buffer.concat([await readFile(file('c.zip')), Buffer.from('a comment')]);
  bytes.writeUInt16LE('a comment'.length, bytes.length - 'a comment'.length - 2);
  await writeFile(file('c.zip'), bytes);
  const source = await FileSource.open(file('c.zip'));
  const [entry] = await readZipDirectory(source);
  expect(entry).toMatchObject({ name: 'a', bytes: 7, compressedBytes: deflated.length });
  await source.close();
});
