import { describe, expect, it } from 'vitest';
import { openArchive } from '../../src/backup/archive-reader.js';
import { rescueArchive } from '../../src/backup/archive-rescue.js';
import { rewriteArchive } from '../../src/backup/archive-rewrite.js';
import { verifyArchive } from '../../src/backup/archive-verify.js';
import type { ArchiveOptions } from '../../src/backup/types.js';
import type { RawEntry } from '../../src/state/types.js';
import {
  collect,
  comparable,
  compressed,
  entry,
  MemorySource,
  manyEntries,
  RAW_KEY,
  sorted,
  writeFull,
  writeIncremental,
} from './support.js';

async function rescue(bytes: Uint8Array, options: ArchiveOptions = {}) {
  const records: unknown[] = [];
  const problems: string[] = [];
  for await (const piece of rescueArchive(new MemorySource(bytes), options)) {
    if ('records' in piece) records.push(...comparable(piece.records));
    else problems.push(piece.problem.message);
  }
  return { records, problems };
}

const offsetsOfChunks = (bytes: Buffer): number[] => {
  const offsets: number[] = [];
  for (let at = bytes.indexOf('LSFC'); at >= 0; at = bytes.indexOf('LSFC', at + 1)) offsets.push(at);
  return offsets;
};

const texts = (records: readonly unknown[]) => records.map((it) => JSON.stringify(it));
const setOf = (all: readonly RawEntry[]) => new Set(texts(comparable(all)));
const isSubset = (part: unknown[], whole: ReadonlySet<string>) => texts(part).every((it) => whole.has(it));

const entries = manyEntries(8000, 300);
const all = setOf(entries);

describe.each([
  { what: 'in the clear', options: {} },
  { what: 'encrypted', options: { key: RAW_KEY } },
])('rescuing an archive $what', ({ options }) => {
  it('gives everything of a sound one', async () => {
    const { bytes } = await writeFull(entries, {}, options);
    expect(await rescue(bytes, options)).toEqual({ records: comparable(entries), problems: [] });
  });

  it('loses the one chunk that is damaged, and says so', async () => {
    const { bytes } = await writeFull(entries, {}, options);
    const [first, second, third] = offsetsOfChunks(bytes);
    bytes[second! + 1000]! ^= 1;
    const { records, problems } = await rescue(bytes, options);
    const lost = entries.length - records.length;
    expect(lost).toBeGreaterThan(1000);
    expect(lost / entries.length).toBeLessThan((1.5 * (third! - first!)) / bytes.length);
    expect(isSubset(records, all)).toBe(true);
    expect(problems).toEqual([expect.stringContaining('chunk 2'), expect.stringContaining('SHA-256')]);
  });

  it('goes on behind bytes that were overwritten, over the ends of chunks', async () => {
    const { bytes } = await writeFull(entries, {}, options);
    const [, second, third] = offsetsOfChunks(bytes);
    bytes.fill(0x4c, second! + 500, third! + 500);
    const { records, problems } = await rescue(bytes, options);
    expect(records.length).toBeGreaterThan(entries.length / 2);
    expect(isSubset(records, all)).toBe(true);
    expect(problems.join('\n')).toMatch(/are not what was written|chunk 2/);
    expect(problems.join('\n')).toMatch(/missing/);
  });

  it('goes on behind bytes that were put in or taken out', async () => {
    const { bytes } = await writeFull(entries, {}, options);
    const [, second] = offsetsOfChunks(bytes);
    const more = Buffer.concat([
      bytes.subarray(0, second),
      Buffer.alloc(1_200_000, 'LSFC junk '),
      bytes.subarray(second),
    ]);
    expect((await rescue(more, options)).records).toEqual(comparable(entries));
    const less = Buffer.concat([bytes.subarray(0, second! - 3), bytes.subarray(second)]);
    expect((await rescue(less, options)).records.length).toBeGreaterThan(entries.length / 2);
  });

  it('gives what comes before the end of one that was cut', async () => {
    const { bytes } = await writeFull(entries, {}, options);
    const { records, problems } = await rescue(bytes.subarray(0, bytes.length / 2), options);
    expect(records.length).toBeGreaterThan(entries.length / 4);
    expect(isSubset(records, all)).toBe(true);
    expect(problems[0]).toMatch(/cut short/);
  });

  it('never gives a value whose end is lost, or the end of one whose beginning is', async () => {
    const huge = new Uint8Array(2_500_000).map((_, i) => (i * i) >> 9);
    const around = sorted([entry('a', 'a', 'before'), entry('a', 'm', huge), entry('a', 'z', 'after')]);
    const { bytes } = await writeFull(around, compressed('none'), options);
    for (const offset of offsetsOfChunks(bytes).slice(0, -1)) {
      const bad = Buffer.from(bytes);
      bad[offset + 30]! ^= 1;
      const { records } = await rescue(bad, options);
      expect(records.length).toBeLessThan(3);
      expect(isSubset(records, setOf([around[0]!, around[2]!]))).toBe(true);
    }
  });
});

it('an archive without its header gives nothing and says so', async () => {
  const { bytes } = await writeFull(entries);
  bytes[3]! ^= 1;
  const { records, problems } = await rescue(bytes);
  expect(records).toEqual([]);
  expect(problems).toHaveLength(1);
});

describe('an archive written again', () => {
  const key = RAW_KEY;
  const newKey = { kind: 'raw', bytes: new Uint8Array(32).fill(9) } as const;
  const sinkOf = (parts: Uint8Array[]) => ({ write: async (part: Uint8Array) => void parts.push(part) });

  it('under another key has the same contents, and the old key no longer opens it', async () => {
    const { bytes, info } = await writeFull(entries, {}, { key });
    const parts: Uint8Array[] = [];
    const rewritten = await rewriteArchive(new MemorySource(bytes), sinkOf(parts), { key, newKey });
    const again = Buffer.concat(parts);
    expect({ ...rewritten, sha256: info.sha256, sizeBytes: info.sizeBytes }).toEqual(info);
    expect(rewritten.sha256).not.toBe(info.sha256);
    const reader = await openArchive(new MemorySource(again), { key: newKey });
    expect(await collect(reader.entries())).toEqual(comparable(entries));
    await expect(openArchive(new MemorySource(again), { key })).rejects.toMatchObject({ code: 'BACKUP_KEY' });
  });

  it('in the clear and compressed otherwise, resting on the new file of its parent', async () => {
    const change = { seq: 500, timeMs: 1, scope: Buffer.from('a'), key: Buffer.from('b'), value: Buffer.from('c') };
    const { bytes } = await writeIncremental([change], {}, { key });
    const parts: Uint8Array[] = [];
    const info = await rewriteArchive(new MemorySource(bytes), sinkOf(parts), {
      key,
      ...compressed('gzip'),
      parentSha256: 'cd'.repeat(32),
    });
    expect(info).toMatchObject({ encrypted: false, entryCount: 42, parent: { sha256: 'cd'.repeat(32), fromSeq: 10 } });
    const source = new MemorySource(Buffer.concat(parts));
    expect(await verifyArchive(source)).toMatchObject({ integrityValid: true });
    expect(await collect((await openArchive(source)).changes())).toEqual(comparable([change]));
  });

  it('is not written where the old one is damaged', async () => {
    const { bytes } = await writeFull(entries);
    bytes[bytes.length >> 1]! ^= 1;
    await expect(rewriteArchive(new MemorySource(bytes), sinkOf([]))).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
  });
});
