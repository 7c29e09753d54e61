/** `npm run bench:archive [entries]`: speed and size of an archive per codec, beside `zstd -3` of the same bytes. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { openArchive } from '../dist/backup/archive-reader.js';
import { verifyArchive } from '../dist/backup/archive-verify.js';
import { createArchiveWriter } from '../dist/backup/archive-writer.js';
import type { ArchiveOptions, ArchiveSource, ArchiveStart, CompressionSetting } from '../dist/backup/types.js';
import type { RawEntry } from '../dist/state/types.js';
import { realisticEntries } from './entries.js';

const RUNS = 3;
const PAGE = 1000;

const SETTINGS: { name: string; compression: CompressionSetting; encrypted?: true }[] = [
  { name: 'zstd 1', compression: { type: 'zstd', level: 1 } },
  { name: 'zstd 3', compression: { type: 'zstd', level: 3 } },
  { name: 'zstd 3 + AES', compression: { type: 'zstd', level: 3 }, encrypted: true },
  { name: 'gzip 1', compression: { type: 'gzip', level: 1 } },
  { name: 'gzip 6', compression: { type: 'gzip', level: 6 } },
  { name: 'lz4', compression: { type: 'lz4', level: 0 } },
  { name: 'brotli 1', compression: { type: 'brotli', level: 1 } },
  { name: 'brotli 5', compression: { type: 'brotli', level: 5 } },
  { name: 'none', compression: { type: 'none', level: 0 } },
];

const start = (compression: CompressionSetting): ArchiveStart => ({
  id: '0123456789abcdef',
  createdAtMs: Date.now(),
  position: { storeId: 'bench', seq: 1, timeMs: Date.now() },
  description: '',
  tags: [],
  compression,
});

async function write(entries: readonly RawEntry[], compression: CompressionSetting, options: ArchiveOptions) {
  const parts: Uint8Array[] = [];
  const writer = await createArchiveWriter(
    { write: async (part) => void parts.push(part) },
    start(compression),
    options,
  );
  for (let at = 0; at < entries.length; at += PAGE) await writer.entries(entries.slice(at, at + PAGE));
  await writer.finish({});
  return parts;
}

function memorySource(bytes: Buffer): ArchiveSource {
  return {
    name: 'bench',
    sizeBytes: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    close: async () => undefined,
  };
}

async function readAll(bytes: Buffer, options: ArchiveOptions): Promise<number> {
  let count = 0;
  for await (const page of (await openArchive(memorySource(bytes), options)).entries()) count += page.length;
  return count;
}

async function timed<T>(work: () => Promise<T>): Promise<{ seconds: number; result: T }> {
  const from = performance.now();
  const result = await work();
  return { seconds: (performance.now() - from) / 1000, result };
}

function countDistinct(entries: readonly RawEntry[]): number {
  return new Set(entries.map(({ value }) => createHash('sha256').update(value).digest('base64'))).size;
}

/** Of the bytes of all keys and values in a row: the least there is to do. */
function zstdTool(raw: Buffer): { seconds: number; bytes: number } | undefined {
  const from = performance.now();
  const { error, stdout } = spawnSync('zstd', ['-3', '-c', '-q'], { input: raw, maxBuffer: 2 ** 30 });
  return error ? undefined : { seconds: (performance.now() - from) / 1000, bytes: stdout.length };
}

const count = Number(process.argv[2] ?? 200_000);
const entries = realisticEntries(count);
const raw = Buffer.concat(entries.flatMap(({ key, value }) => [key, value]));
console.log(`${count} entries, ${countDistinct(entries)} distinct values, ${(raw.length / 1e6).toFixed(1)} MB`);

const best = new Map<string, { write: number; read: number; verify: number; bytes: number }>();
const keep = (name: string, run: { write: number; read: number; verify: number; bytes: number }) => {
  const least = best.get(name) ?? run;
  best.set(name, {
    write: Math.min(least.write, run.write),
    read: Math.min(least.read, run.read),
    verify: Math.min(least.verify, run.verify),
    bytes: run.bytes,
  });
};

let tool = zstdTool(raw);
for (let run = 0; run < RUNS; run++) {
  for (const { name, compression, encrypted } of SETTINGS) {
    const options: ArchiveOptions = encrypted ? { key: { kind: 'raw', bytes: new Uint8Array(32) } } : {};
    const written = await timed(() => write(entries, compression, options));
    const bytes = Buffer.concat(written.result);
    const read = await timed(() => readAll(bytes, options));
    const verified = await timed(() => verifyArchive(memorySource(bytes), options));
    if (read.result !== count || !verified.result.integrityValid) throw new Error(`${name} does not read back`);
    keep(name, { write: written.seconds, read: read.seconds, verify: verified.seconds, bytes: bytes.length });
  }
  const again = zstdTool(raw);
  if (tool && again && again.seconds < tool.seconds) tool = again;
}

const cells = (name: string, ...rest: string[]) =>
  console.log(name.padEnd(14), ...rest.map((cell) => cell.padStart(13)));
const figure = (seconds: number) => `${seconds.toFixed(2)} s ${(raw.length / 1e6 / seconds).toFixed(0).padStart(4)}`;
cells('', 'write MB/s', 'read MB/s', 'verify MB/s', 'MB', 'of zstd -3');
for (const [name, { write, read, verify, bytes }] of best)
  cells(
    name,
    figure(write),
    figure(read),
    figure(verify),
    (bytes / 1e6).toFixed(2),
    tool ? (bytes / tool.bytes).toFixed(3) : '-',
  );
if (tool) cells('zstd -3 (tool)', figure(tool.seconds), '', '', (tool.bytes / 1e6).toFixed(2), '1.000');
else console.log('zstd is not installed: no comparison.');
