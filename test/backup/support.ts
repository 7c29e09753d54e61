import { createArchiveWriter } from '../../src/backup/archive-writer.js';
import type {
  ArchiveInfo,
  ArchiveOptions,
  ArchiveSource,
  ArchiveStart,
  CompressionType,
} from '../../src/backup/types.js';
import { LlmspellError } from '../../src/errors.js';
import { encodeKey } from '../../src/state/key.js';
import type { HistoryRecord, RawEntry } from '../../src/state/types.js';
import { compareBytes, utf8 } from '../../src/util/bytes.js';

/** An archive in memory as a source; counts the bytes that are read of it. */
export class MemorySource implements ArchiveSource {
  readonly name = 'test.lsb';
  readonly bytes: Buffer;
  bytesRead = 0;
  reads = 0;
  closed = false;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes);
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset + length > this.bytes.length)
      throw new LlmspellError('BACKUP_DAMAGED', 'The file is shorter than that.');
    this.reads++;
    this.bytesRead += length;
    return this.bytes.subarray(offset, offset + length);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

export const LEVELS: Record<CompressionType, number> = { zstd: 3, gzip: 6, lz4: 0, brotli: 4, none: 0 };

export const RAW_KEY = { kind: 'raw', bytes: new Uint8Array(32).fill(7) } as const;

export const start = (over: Partial<ArchiveStart> = {}): ArchiveStart => ({
  id: '0123456789abcdef',
  createdAtMs: 1_700_000_000_000,
  position: { storeId: 'store-1', seq: 1_000_000, timeMs: 1_700_000_000_000 },
  description: 'before the change',
  tags: ['nightly'],
  compression: { type: 'zstd', level: 3 },
  ...over,
});

export const PARENT = { id: 'fedcba9876543210', sha256: 'ab'.repeat(32), fromSeq: 10, fromTimeMs: 1_600_000_000_000 };

export const compressed = (type: CompressionType) => ({ compression: { type, level: LEVELS[type] } });

interface Written {
  bytes: Buffer;
  info: ArchiveInfo;
}

export async function writeFull(
  entries: readonly RawEntry[],
  over: Partial<ArchiveStart> = {},
  options: ArchiveOptions = {},
): Promise<Written> {
  const parts: Uint8Array[] = [];
  const writer = await createArchiveWriter({ write: async (part) => void parts.push(part) }, start(over), options);
  for (let at = 0; at < entries.length; at += 100) await writer.entries(entries.slice(at, at + 100));
  const info = await writer.finish({});
  return { bytes: Buffer.concat(parts), info };
}

export async function writeIncremental(
  changes: readonly HistoryRecord[],
  over: Partial<ArchiveStart> = {},
  options: ArchiveOptions = {},
): Promise<Written> {
  const parts: Uint8Array[] = [];
  const sink = { write: async (part: Uint8Array) => void parts.push(part) };
  const writer = await createArchiveWriter(sink, start({ parent: PARENT, ...over }), options);
  for (let at = 0; at < changes.length; at += 100) await writer.changes(changes.slice(at, at + 100));
  const info = await writer.finish({ entryCount: 42 });
  return { bytes: Buffer.concat(parts), info };
}

/** Records with their byte strings as text: vitest compares long arrays byte by byte, which takes seconds. */
export const comparable = (records: readonly unknown[]): unknown[] =>
  records.map((record) =>
    Object.fromEntries(
      Object.entries(record as object).map(([name, part]) => [
        name,
        part instanceof Uint8Array ? Buffer.from(part).toString('latin1') : part,
      ]),
    ),
  );

/** All pages as one list, comparable. */
export async function collect(pages: AsyncIterable<readonly unknown[]>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const page of pages) all.push(...comparable(page));
  return all;
}

export const entry = (scope: string, key: string, value: Uint8Array | string): RawEntry => ({
  key: encodeKey(utf8(scope), utf8(key)),
  value: typeof value === 'string' ? utf8(value) : value,
});

export const sorted = (entries: readonly RawEntry[]): RawEntry[] =>
  [...entries].sort((a, b) => compareBytes(a.key, b.key));

/** Entries of 40 scopes whose values do not compress to nothing. */
export function manyEntries(count: number, valueBytes = 200): RawEntry[] {
  let seed = 1;
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
  const value = () => Uint8Array.from({ length: valueBytes }, () => (random() < 0.5 ? 32 : Math.floor(random() * 256)));
  const name = (i: number) => `key-${String(i).padStart(6, '0')}`;
  return sorted(Array.from({ length: count }, (_, i) => entry(`scope-${i % 40}`, name(i), value())));
}
