import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readArchiveInfo } from '../../src/backup/archive-ends.js';
import { openArchive } from '../../src/backup/archive-reader.js';
import { CODECS } from '../../src/backup/types.js';
import { encodeKey } from '../../src/state/key.js';
import type { HistoryRecord, RawEntry } from '../../src/state/types.js';
import { equalBytes, utf8 } from '../../src/util/bytes.js';
import {
  collect,
  comparable,
  compressed,
  entry,
  MemorySource,
  manyEntries,
  PARENT,
  RAW_KEY,
  sorted,
  writeFull,
  writeIncremental,
} from './support.js';

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });

/** Entries with any bytes in keys and values, ascending, without repeats. */
const anyEntries = fc
  .uniqueArray(fc.record({ scope: bytes(1, 6), key: bytes(1, 40), value: bytes(0, 3000) }), {
    maxLength: 60,
    selector: ({ scope, key }) => `${scope}/${key}`,
  })
  .map((all) => sorted(all.map(({ scope, key, value }): RawEntry => ({ key: encodeKey(scope, key), value }))));

const anyChange = fc.oneof(
  { weight: 6, arbitrary: fc.record({ scope: bytes(1, 6), key: bytes(1, 40), value: bytes(0, 3000) }) },
  { weight: 2, arbitrary: fc.record({ scope: bytes(1, 6), key: bytes(1, 40), value: fc.constant(null) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      rewind: fc.record({ storeId: fc.string(), toSeq: fc.nat(), toTimeMs: fc.nat(), source: fc.string() }),
    }),
  },
);
const anyChanges = fc
  .array(fc.record({ change: anyChange, seqStep: fc.integer({ min: 1, max: 300 }), timeStep: fc.nat() }), {
    maxLength: 60,
  })
  .map((steps) => {
    let seq = PARENT.fromSeq;
    let timeMs = 1_700_000_000_000;
    return steps.map(({ change, seqStep, timeStep }) => {
      seq += seqStep;
      timeMs += timeStep;
      return { seq, timeMs, ...change } as HistoryRecord;
    });
  });

describe.each(CODECS)('an archive compressed with %s', (type) => {
  describe.each([
    { what: 'in the clear', options: {} },
    { what: 'encrypted', options: { key: RAW_KEY } },
  ])('$what', ({ options }) => {
    it('gives back every entry exactly, whatever the bytes', async () => {
      await fc.assert(
        fc.asyncProperty(anyEntries, async (entries) => {
          const { bytes, info } = await writeFull(entries, compressed(type), options);
          const reader = await openArchive(new MemorySource(bytes), options);
          expect(await collect(reader.entries())).toEqual(comparable(entries));
          expect(reader.info).toEqual(info);
          expect(info).toMatchObject({
            recordCount: entries.length,
            entryCount: entries.length,
            sizeBytes: bytes.length,
          });
        }),
        { numRuns: 25 },
      );
    });

    it('gives back every change exactly, restores among them', async () => {
      await fc.assert(
        fc.asyncProperty(anyChanges, async (changes) => {
          const { bytes, info } = await writeIncremental(changes, compressed(type), options);
          const reader = await openArchive(new MemorySource(bytes), options);
          expect(await collect(reader.changes())).toEqual(comparable(changes));
          expect(reader.info).toEqual(info);
          expect(info).toMatchObject({ recordCount: changes.length, entryCount: 42, parent: PARENT });
        }),
        { numRuns: 25 },
      );
    });

    it('holds values of several chunks and keys of 64 kB', async () => {
      const huge = new Uint8Array(1_500_000).map((_, i) => (i * i) >> 7);
      const long = 'k'.repeat(65_536);
      const entries = sorted([
        entry('a', 'before', 'x'),
        entry('a', 'huge', huge),
        entry('a', 'huge2', huge.subarray(0, 900_001)),
        entry('a', long, 'long key'),
        entry('a', `${long}2`, huge.subarray(0, 600_000)),
        entry('\0'.repeat(65_536), long, ''),
        entry('z', 'after', 'y'),
      ]);
      const { bytes } = await writeFull(entries, compressed(type), options);
      const reader = await openArchive(new MemorySource(bytes), options);
      expect(await collect(reader.entries())).toEqual(comparable(entries));
      for (const { key, value } of entries) expect(equalBytes((await reader.get(key))!, value)).toBe(true);
    });
  });
});

describe('reading a part of an archive', () => {
  it('gives the entries of some scopes, without reading the other chunks', async () => {
    const entries = manyEntries(20_000, 400);
    const { bytes } = await writeFull(entries);
    const source = new MemorySource(bytes);
    const reader = await openArchive(source);
    source.bytesRead = 0;
    const wanted = ['scope-7', 'scope-31'];
    const expected = entries.filter(({ key }) =>
      wanted.some((scope) => Buffer.from(key).toString().startsWith(`${scope}\0`)),
    );
    expect(await collect(reader.entries(wanted.map(utf8)))).toEqual(comparable(expected));
    expect(expected).toHaveLength(1000);
    expect(source.bytesRead).toBeLessThan(bytes.length / 3);
  });

  it('finds any one entry, and none that is not there', async () => {
    const entries = manyEntries(5000);
    const { bytes } = await writeFull(entries);
    const source = new MemorySource(bytes);
    const reader = await openArchive(source);
    source.bytesRead = 0;
    for (const at of [0, 1, 2499, 4998, 4999])
      expect(new Uint8Array((await reader.get(entries[at]!.key))!)).toEqual(entries[at]!.value);
    expect(await reader.get(entry('scope-7', 'key-', '').key)).toBeUndefined();
    expect(await reader.get(entry('aaa', 'x', '').key)).toBeUndefined();
    expect(await reader.get(entry('zzz', 'x', '').key)).toBeUndefined();
  });

  it('tells progress in records', async () => {
    const { bytes } = await writeFull(manyEntries(5000));
    const seen: [number, number | undefined][] = [];
    const reader = await openArchive(new MemorySource(bytes), {
      onProgress: (done, total) => seen.push([done, total]),
    });
    await collect(reader.entries());
    expect(seen.at(-1)).toEqual([5000, 5000]);
  });

  it('closes its source', async () => {
    const source = new MemorySource((await writeFull([])).bytes);
    const reader = await openArchive(source);
    await reader.close();
    expect(source.closed).toBe(true);
  });
});

describe('what an archive says of itself', () => {
  it.each([
    ['short', ''],
    ['long', 'x'.repeat(10_000)],
  ])('is read without any chunk (description: %s)', async (length, description) => {
    const { bytes, info } = await writeFull(manyEntries(5000), { schemaVersion: '2.1.0', description });
    const source = new MemorySource(bytes);
    expect(await readArchiveInfo(source)).toEqual(info);
    expect(source.bytesRead).toBeLessThan(20_000);
    if (length === 'short') expect(source.reads).toBe(2);
  });
});

describe('an archive at the highest level of zstd', () => {
  it('is made in bounded memory and read back', async () => {
    const entries = manyEntries(4000, 600);
    const before = process.memoryUsage.rss();
    const { bytes, info } = await writeFull(entries, { compression: { type: 'zstd', level: 22 } });
    expect(process.memoryUsage.rss() - before).toBeLessThan(150e6);
    expect(info.compression.level).toBe(22);
    expect(await collect((await openArchive(new MemorySource(bytes))).entries())).toEqual(comparable(entries));
  });
});
