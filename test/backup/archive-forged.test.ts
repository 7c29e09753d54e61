import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { readArchiveInfo } from '../../src/backup/archive-ends.js';
import { openArchive } from '../../src/backup/archive-reader.js';
import { verifyArchive } from '../../src/backup/archive-verify.js';
import { writeVarint } from '../../src/backup/varint.js';
import { crc32 } from '../../src/util/hash.js';
import { body, forged, type Parts, putTogether, takeApart } from './forge.js';
import { collect, compressed, MemorySource, manyEntries, writeFull, writeIncremental } from './support.js';

const entries = manyEntries(8000, 300);
const plain = async () => (await writeFull(entries, compressed('none'))).bytes;

const chunks = ({ frames }: Parts) => frames.filter(({ type }) => type === 'C');

/** A trailer or details frame with other contents. */
function editJson(parts: Parts, type: 'D' | 'T', edit: (json: Record<string, number>) => void): void {
  const frame = parts.frames.find((it) => it.type === type)!;
  const json = JSON.parse(frame.payload.subarray(5).toString());
  edit(json);
  const text = Buffer.from(JSON.stringify(json));
  frame.payload = body(0, text.length, text);
}

async function expectRefused(bytes: Buffer, what: RegExp): Promise<void> {
  const before = process.memoryUsage.rss();
  const read = async () => {
    const reader = await openArchive(new MemorySource(bytes));
    return collect(reader.info.parent ? reader.changes() : reader.entries());
  };
  await expect(read()).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
  const report = await verifyArchive(new MemorySource(bytes));
  expect(report.integrityValid).toBe(false);
  expect(report.problems.map(({ message }) => message).join('\n')).toMatch(what);
  expect(process.memoryUsage.rss() - before).toBeLessThan(200e6);
}

const varints = (...numbers: number[]): Buffer => {
  const out = Buffer.alloc(64);
  return out.subarray(
    0,
    numbers.reduce((at, number) => writeVarint(out, at, number), 0),
  );
};

/** An archive with one chunk that says `raw`. */
const withChunk = async (raw: Buffer) =>
  forged((await writeFull(manyEntries(3, 10), compressed('none'))).bytes, (parts) => {
    chunks(parts)[0]!.payload = body(0, raw.length, raw);
  });

it('an archive taken apart and put together is the same', async () => {
  const bytes = await plain();
  expect(putTogether(takeApart(bytes)).equals(bytes)).toBe(true);
});

describe('an archive whose checksums all fit and that is wrong all the same', () => {
  it('with two chunks swapped', async () => {
    const bytes = forged(await plain(), (parts) => {
      const [one, two] = chunks(parts);
      [one!.payload, two!.payload] = [two!.payload, one!.payload];
    });
    await expectRefused(bytes, /out of order/);
  });

  it('with two frames swapped', async () => {
    const bytes = forged(await plain(), ({ frames }) => {
      [frames[1], frames[2]] = [frames[2]!, frames[1]!];
    });
    await expectRefused(bytes, /Frame 1 is missing/);
  });

  it('with a chunk left out', async () => {
    const bytes = forged(await plain(), ({ frames }) => frames.splice(2, 1));
    await expectRefused(bytes, /Frame 2 is missing/);
  });

  it('with the last chunk left out and the numbers of the others made to fit', async () => {
    const bytes = forged(await plain(), (parts) => {
      const count = chunks(parts).length;
      parts.frames.splice(count, 1);
      for (const [ordinal, frame] of parts.frames.entries()) frame.ordinal = ordinal;
    });
    await expectRefused(bytes, /index does not fit/);
  });

  it('with a chunk twice', async () => {
    const bytes = forged(await plain(), ({ frames }) => frames.splice(2, 0, frames[1]!));
    await expectRefused(bytes, /Frame 1 stands where frame 2 must/);
  });

  it('without its index', async () => {
    const bytes = forged(await plain(), ({ frames }) => frames.splice(-2, 1));
    await expectRefused(bytes, /is missing/);
  });

  it.each([
    ['recordCount', /states .* where there are/],
    ['chunkCount', /states .* where there are/],
    ['indexOffset', /states .* where there are/],
  ])('with another %s in the trailer', async (name, what) => {
    await expectRefused(
      forged(await plain(), (parts) => editJson(parts, 'T', (trailer) => trailer[name]!++)),
      what,
    );
  });

  it.each([['uncompressedBytes'], ['entryCount']])('with another %s in the trailer', async (name) => {
    const bytes = forged(await plain(), (parts) => editJson(parts, 'T', (trailer) => trailer[name]!++));
    expect((await verifyArchive(new MemorySource(bytes))).integrityValid).toBe(false);
  });

  it('with changes beyond the moment that it says it completes', async () => {
    const change = { seq: 500, timeMs: 1, scope: Buffer.from('a'), key: Buffer.from('b'), value: null };
    const { bytes } = await writeIncremental([change], compressed('none'));
    const early = forged(bytes, (parts) => editJson(parts, 'D', (details) => (details.seq = 499)));
    await expectRefused(early, /out of order/);
  });

  it('with a key that belongs to no scope', async () => {
    const report = await verifyArchive(
      new MemorySource(await withChunk(Buffer.concat([varints(0, 1, 1), Buffer.from('kv')]))),
    );
    expect(report.problems[0]!.message).toMatch(/the key k is not one of a scope/);
  });
});

describe('an archive that claims lengths it does not have', () => {
  it.each([
    ['a header of 4 GB', 12, 0xfffffff0],
    ['a header of 60 kB', 12, 60_000],
  ])('%s', async (_, at, value) => {
    const bytes = await plain();
    bytes.writeUInt32LE(value, at);
    await expectRefused(bytes.subarray(0, 4000), /header/i);
  });

  it('a frame of 4 GB', async () => {
    const { bytes } = await writeFull(manyEntries(3, 10), compressed('none'));
    const at = bytes.indexOf('LSFC');
    bytes.writeUInt32LE(0xfffffff0, at + 8);
    bytes.writeUInt32LE(crc32(bytes.subarray(at, at + 16)), at + 16);
    await expectRefused(bytes, /are not what was written/);
  });

  it.each(['zstd', 'gzip', 'lz4', 'brotli', 'none'] as const)('a chunk (%s) of 4 GB', async (type) => {
    const bytes = forged((await writeFull(manyEntries(100, 300), compressed(type))).bytes, (parts) =>
      chunks(parts)[0]!.payload.writeUInt32LE(0xfffffff0, 1),
    );
    await expectRefused(bytes, /chunk 1 claims/);
  });

  it.each(['zstd', 'gzip', 'lz4', 'brotli'] as const)('a chunk (%s) of another length than it has', async (type) => {
    const bytes = forged((await writeFull(manyEntries(100, 300), compressed(type))).bytes, (parts) =>
      chunks(parts)[0]!.payload.writeUInt32LE(1000, 1),
    );
    await expectRefused(bytes, /chunk 1 (does not decompress|has)/);
  });

  it('a chunk of 1 kB that unpacks to 256 MiB', async () => {
    const zstd = createRequire(import.meta.url)('@mongodb-js/zstd/bindings.js');
    const bomb = await zstd.compress(Buffer.alloc(256 * 1024 * 1024), 19);
    const bytes = forged((await writeFull(manyEntries(3, 10))).bytes, (parts) => {
      chunks(parts)[0]!.payload = body(1, 1024, bomb);
    });
    await expectRefused(bytes, /the zstd frame holds more than 1024 bytes/);
  });

  it('a key longer than its chunk', async () => {
    await expectRefused(await withChunk(varints(0, 1e9, 0)), /claims 1000000000 bytes/);
  });

  it('a value of a terabyte', async () => {
    await expectRefused(
      await withChunk(Buffer.concat([varints(0, 1, 1e12), Buffer.from('k')])),
      /claims 1000000000000 bytes/,
    );
  });

  it('a value that never ends', async () => {
    const bytes = await withChunk(Buffer.concat([varints(0, 3, 1e9), Buffer.from('a\0\x01')]));
    await expectRefused(bytes, /index|cut short/);
  });

  it('a number without an end', async () => {
    await expectRefused(await withChunk(Buffer.concat([varints(0), Buffer.alloc(30, 0xff)])), /too large/);
  });

  it('an index that points beyond the file', async () => {
    const bytes = forged(await plain(), ({ frames }) => {
      const raw = varints(1, 1e12, 1e9, 1, 0);
      frames.at(-2)!.payload = body(0, raw.length, raw);
    });
    await expectRefused(bytes, /index does not fit/);
  });
});

describe('an archive of another version', () => {
  it('is refused in a sentence that says so', async () => {
    const { bytes } = await writeFull([]);
    bytes.writeUInt32LE(2, 8);
    const head = bytes.readUInt32LE(12);
    bytes.writeUInt32LE(crc32(bytes.subarray(20, 20 + head), crc32(bytes.subarray(0, 16))), 16);
    const refusal = { code: 'BACKUP_VERSION', message: expect.stringContaining('has format version 2') };
    await expect(openArchive(new MemorySource(bytes))).rejects.toMatchObject(refusal);
    await expect(readArchiveInfo(new MemorySource(bytes))).rejects.toMatchObject(refusal);
    expect((await verifyArchive(new MemorySource(bytes))).problems).toMatchObject([{ kind: 'version' }]);
  });

  it('is damaged where only the version was changed', async () => {
    const { bytes } = await writeFull([]);
    bytes.writeUInt32LE(2, 8);
    await expect(openArchive(new MemorySource(bytes))).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
  });
});
