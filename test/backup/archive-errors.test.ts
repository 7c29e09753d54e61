import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { readArchiveInfo } from '../../src/backup/archive-ends.js';
import { openArchive } from '../../src/backup/archive-reader.js';
import { verifyArchive } from '../../src/backup/archive-verify.js';
import { createArchiveWriter } from '../../src/backup/archive-writer.js';
import type { ArchiveSource, CompressionSetting } from '../../src/backup/types.js';
import {
  collect,
  compressed,
  entry,
  MemorySource,
  manyEntries,
  start,
  writeFull,
  writeIncremental,
} from './support.js';

const nowhere = { write: async () => undefined };
const entries = manyEntries(12_000, 300);

describe('an archive is not written', () => {
  it.each([
    [{ type: 'zstd', level: 0 }, /0 is not between 1 and 22 \(zstd\)/],
    [{ type: 'zstd', level: 23 }, /23 is not between 1 and 22 \(zstd\)/],
    [{ type: 'gzip', level: 10 }, /10 is not between 1 and 9 \(gzip\)/],
    [{ type: 'brotli', level: -1 }, /-1 is not between 0 and 11 \(brotli\)/],
    [{ type: 'gzip', level: 1.5 }, /1.5 is not between 1 and 9 \(gzip\)/],
    [{ type: 'rar' as 'gzip', level: 1 }, /rar is none of zstd, gzip, lz4, brotli, none/],
  ] satisfies [CompressionSetting, RegExp][])('with the compression %j', async (compression, message) => {
    await expect(writeFull([], { compression })).rejects.toMatchObject({ code: 'CONFIG_INVALID', message });
  });

  it.each([
    ['lz4', 99],
    ['none', -5],
  ] as const)('but %s ignores the level %d', async (type, level) => {
    await expect(writeFull([], { compression: { type, level } })).resolves.toBeDefined();
  });

  it('with entries out of order, or one of them twice', async () => {
    const [a, b] = [entry('a', 'a', ''), entry('b', 'b', '')];
    await expect(writeFull([b, a])).rejects.toMatchObject({ code: 'INTERNAL', message: /out of order/ });
    await expect(writeFull([a, a])).rejects.toMatchObject({ code: 'INTERNAL', message: /out of order/ });
  });

  it.each([
    ['numbers that go back', [20, 5], [19, 6]],
    ['a number twice', [20, 5], [20, 5]],
    ['times that go back', [20, 5], [21, 4]],
    ['a change that its parent has', [10, 5], [11, 5]],
    ['a change after its own moment', [20, 5], [1_000_001, 5]],
    ['a time that is no whole number', [20, 5], [21, 5.5]],
  ])('with changes out of order: %s', async (_, ...moments) => {
    const scope = Buffer.from('a');
    const changes = moments.map(([seq, timeMs]) => ({ seq: seq!, timeMs: timeMs!, scope, key: scope, value: null }));
    await expect(writeIncremental(changes)).rejects.toMatchObject({ code: 'INTERNAL', message: /out of order/ });
  });

  it('with changes in a full one, or entries in an incremental one', async () => {
    const full = await createArchiveWriter(nowhere, start());
    await expect(full.changes([])).rejects.toMatchObject({ code: 'INTERNAL' });
    const parent = { id: 'fedcba9876543210', sha256: 'ab'.repeat(32), fromSeq: 1, fromTimeMs: 1 };
    const incremental = await createArchiveWriter(nowhere, start({ parent }));
    await expect(incremental.entries([])).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  it('with a key that no state can have', async () => {
    await expect(writeFull([entry('a', 'k'.repeat(600_000), '')])).rejects.toMatchObject({ code: 'KEY_INVALID' });
  });

  it('with a value that no reader would wait for', async () => {
    const refusal = { code: 'VALUE_TOO_LARGE' };
    await expect(writeFull([entry('a', 'a', new Uint8Array(1024 ** 3 + 1))])).rejects.toMatchObject(refusal);
  });

  it('with a store id of kilobytes', async () => {
    const position = { storeId: 'x'.repeat(70_000), seq: 1, timeMs: 1 };
    await expect(writeFull([], { position })).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  it('with a description of megabytes', async () => {
    const refusal = { code: 'BACKUP_FAILED', hint: /shorten description and tags/ };
    await expect(writeFull([], { description: 'x'.repeat(3_000_000) })).rejects.toMatchObject(refusal);
  });

  it('further than the sink takes it, and passes on why', async () => {
    let written = 0;
    const full = new Error('ENOSPC');
    const write = async (bytes: Uint8Array) => {
      written += bytes.length;
      if (written > 100_000) throw full;
    };
    const writer = await createArchiveWriter({ write }, start(compressed('none')));
    await expect(writer.entries(entries)).rejects.toBe(full);
  });

  it('further than the signal lets it', async () => {
    const stop = new AbortController();
    const writer = await createArchiveWriter(nowhere, start(), { signal: stop.signal, onProgress: () => stop.abort() });
    await writer.entries(entries.slice(0, 10));
    await expect(writer.entries(entries.slice(10))).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

describe('an archive is not read', () => {
  it('as what it is not', async () => {
    const full = await openArchive(new MemorySource((await writeFull([])).bytes));
    expect(() => full.changes()).toThrow(/is a full one/);
    const incremental = await openArchive(new MemorySource((await writeIncremental([])).bytes));
    expect(() => incremental.entries()).toThrow(/is incremental/);
  });

  it.each([
    ['nothing', 0],
    ['another kind of file', 5000],
  ])('where it is %s', async (_, length) => {
    const source = new MemorySource(Buffer.alloc(length, 'x'));
    const refusal = { code: 'BACKUP_DAMAGED', subject: 'test.lsb', message: /^The backup test.lsb is damaged: it / };
    await expect(openArchive(source)).rejects.toMatchObject(refusal);
    await expect(readArchiveInfo(source)).rejects.toMatchObject(refusal);
    expect(await verifyArchive(source)).toMatchObject({ info: undefined, checksumValid: false, problemCount: 1 });
  });

  it('further than the signal lets it', async () => {
    const { bytes } = await writeFull(entries);
    const stop = new AbortController();
    const options = { signal: stop.signal, onProgress: () => stop.abort() };
    const reader = await openArchive(new MemorySource(bytes), options);
    await expect(collect(reader.entries())).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(verifyArchive(new MemorySource(bytes), options)).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('where the disk fails: that is no damage', async () => {
    const { bytes } = await writeFull(entries);
    const broken: ArchiveSource = new MemorySource(bytes);
    const read = broken.read.bind(broken);
    const failure = Object.assign(new Error('EIO'), { code: 'EIO' });
    let reads = 0;
    broken.read = async (offset, length) => {
      if (++reads > 3) throw failure;
      return read(offset, length);
    };
    await expect(verifyArchive(broken)).rejects.toBe(failure);
  });

  it('by anybody who stops in the middle, without consequences', async () => {
    const { bytes } = await writeFull(entries);
    bytes[bytes.length - 100_000]! ^= 1;
    for await (const page of (await openArchive(new MemorySource(bytes))).entries()) {
      expect(page.length).toBeGreaterThan(0);
      break;
    }
  });
});

it('tells at most a hundred problems, and how many there were', async () => {
  const { bytes } = await writeFull(manyEntries(50));
  const chunk = bytes.subarray(bytes.indexOf('LSFC'), bytes.indexOf('LSFI'));
  chunk[100]! ^= 1;
  const report = await verifyArchive(new MemorySource(Buffer.concat([bytes, ...Array(120).fill(chunk)])));
  expect(report.problems).toHaveLength(100);
  expect(report.problemCount).toBeGreaterThan(200);
});

describe('where a native module does not load', () => {
  it('only the codec that needs it fails, with a sentence that says what to do', async () => {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const place = await mkdtemp(join(tmpdir(), 'llmspell-codecs-'));
    await cp(join(root, 'dist'), join(place, 'dist'), { recursive: true });
    for (const [module, file] of [
      ['@mongodb-js/zstd', 'bindings.js'],
      ['lz4-napi', 'index.js'],
    ] as const) {
      await mkdir(join(place, 'node_modules', module), { recursive: true });
      await writeFile(join(place, 'node_modules', module, file), 'throw new Error("wrong ELF class\\nat …")');
    }
    await writeFile(join(place, 'package.json'), '{"type":"module"}');
    await symlink(join(root, 'node_modules', 'zod'), join(place, 'node_modules', 'zod'));
    await writeFile(join(place, 'try.js'), TRY_CODECS);
    const { stdout } = await promisify(execFile)(process.execPath, [join(place, 'try.js')]);
    await rm(place, { recursive: true });
    expect(JSON.parse(stdout)).toEqual({
      gzip: 'hello',
      brotli: 'hello',
      zstd: expect.stringMatching(
        /^BACKUP_FAILED The zstd module does not load on this machine: wrong ELF class\. .*"gzip"/,
      ),
      lz4: expect.stringMatching(
        /^BACKUP_FAILED The lz4 module does not load on this machine: wrong ELF class\. .*"gzip"/,
      ),
    });
  });
});

const TRY_CODECS = `
import { codecOf } from './dist/backup/compression.js';
const out = {};
for (const type of ['gzip', 'brotli', 'zstd', 'lz4']) {
  try {
    const codec = codecOf({ type, level: 1 });
    out[type] = Buffer.from(await codec.decompress(await codec.compress(Buffer.from('hello')), 5)).toString();
  } catch (error) {
    out[type] = error.code + ' ' + error.message + ' ' + error.hint;
  }
}
console.log(JSON.stringify(out));
`;
