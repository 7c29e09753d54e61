import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { LlmspellError } from '../errors.js';
import { exportedEntry, importedEntry } from '../state/exported-entry.js';
import type { RawEntry } from '../state/types.js';
import { type Bytes, compareBytes, textOf, utf8 } from '../util/bytes.js';
import { Damage } from './archive-format.js';
import type { ArchiveSource, BackupRecord } from './types.js';
import type { ZipEntry } from './zip-format.js';
import { readZipDirectory, readZipEntry } from './zip-reader.js';
import { ZipWriter } from './zip-writer.js';

/** A backup as a zip: what it is, and its entries, each a line of JSON in byte order of scope and key. */
const MANIFEST = 'manifest.json';
const STATE = 'state.jsonl';
const VERSION = 1;
const MAX_MANIFEST_BYTES = 1024 ** 2;
/** A line beyond it would not be text that JavaScript can hold. */
const MAX_LINE_BYTES = 256 * 1024 ** 2;
const PIECE_BYTES = 64 * 1024;

const count = z.int().nonnegative();
const time = z.int().min(0).max(8_640_000_000_000_000);
const manifestSchema = z.object({
  format: z.literal('llmspell-backup'),
  version: z.literal(VERSION),
  id: z.string().regex(/^[0-9a-f]{16}$/),
  store_id: z.string(),
  created_at_ms: time,
  seq: count,
  time_ms: time,
  description: z.string(),
  tags: z.array(z.string()),
  schema_version: z.string().nullable(),
  state: z.object({ entries: count, bytes: count, sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
});
export type ZipManifest = z.infer<typeof manifestSchema>;

/** Writes a backup as a zip, and resolves with its size and how many entries it has. */
export async function writeZip(
  file: FileHandle,
  backup: BackupRecord,
  pages: AsyncIterable<readonly RawEntry[]>,
): Promise<{ sizeBytes: number; entryCount: number }> {
  const zip = new ZipWriter(file, backup.createdAtMs);
  const hash = createHash('sha256');
  const state = { entries: 0, bytes: 0, sha256: '' };
  const lines = async function* () {
    for await (const piece of linesOf(pages, () => state.entries++)) {
      hash.update(piece);
      state.bytes += piece.length;
      yield piece;
    }
  };
  await zip.add(STATE, lines());
  state.sha256 = hash.digest('hex');
  await zip.add(MANIFEST, [utf8(`${JSON.stringify(manifestOf(backup, state), null, 2)}\n`)]);
  return { sizeBytes: await zip.finish(), entryCount: state.entries };
}

const manifestOf = (backup: BackupRecord, state: ZipManifest['state']) => ({
  format: 'llmspell-backup' as const,
  version: VERSION,
  id: backup.id,
  created_at: new Date(backup.createdAtMs).toISOString(),
  created_at_ms: backup.createdAtMs,
  store_id: backup.position.storeId,
  seq: backup.position.seq,
  time_ms: backup.position.timeMs,
  description: backup.description,
  tags: backup.tags,
  schema_version: backup.schemaVersion ?? null,
  state,
});

async function* linesOf(pages: AsyncIterable<readonly RawEntry[]>, onEntry: () => void): AsyncGenerator<Bytes> {
  let text = '';
  for await (const page of pages) {
    for (const entry of page) {
      text += `${JSON.stringify(exportedEntry(entry))}\n`;
      onEntry();
      if (text.length < PIECE_BYTES) continue;
      yield utf8(text);
      text = '';
    }
  }
  if (text !== '') yield utf8(text);
}

/** A zip that holds a backup and nothing else. */
export interface ZipBackup {
  manifest: ZipManifest;
  /** In ascending order; all has been checked when it ends. Throws {@link Damage}, and `VALUE_INVALID` naming the line. */
  entries(): AsyncGenerator<readonly RawEntry[]>;
}

/** Throws {@link Damage} where it is no zip of a backup, and `BACKUP_VERSION`. */
export async function readZip(source: ArchiveSource): Promise<ZipBackup> {
  const found = await readZipDirectory(source);
  const stranger = found.find(({ name }) => name !== MANIFEST && name !== STATE);
  if (stranger)
    throw new Damage(`it holds ${JSON.stringify(stranger.name.slice(0, 100))}, which is no part of a backup`);
  const manifest = await readManifest(source, onlyOne(found, MANIFEST));
  const state = onlyOne(found, STATE);
  if (state.bytes !== manifest.state.bytes)
    throw new Damage(`its ${STATE} has ${state.bytes} bytes where its manifest says ${manifest.state.bytes}`);
  return { manifest, entries: () => readEntries(source, state, manifest) };
}

function onlyOne(found: readonly ZipEntry[], name: string): ZipEntry {
  const [entry, ...more] = found.filter((some) => some.name === name);
  if (!entry || more.length > 0) throw new Damage(`it has ${entry ? 'more than one' : 'no'} ${name}`);
  return entry;
}

async function readManifest(source: ArchiveSource, entry: ZipEntry): Promise<ZipManifest> {
  if (entry.bytes > MAX_MANIFEST_BYTES) throw new Damage(`its ${MANIFEST} claims ${entry.bytes} bytes`);
  const pieces: Bytes[] = [];
  for await (const piece of readZipEntry(source, entry)) pieces.push(piece);
  const json = parsed(Buffer.concat(pieces));
  const { format, version } = (json ?? {}) as { format?: unknown; version?: unknown };
  if (format === 'llmspell-backup' && typeof version === 'number' && version > VERSION) {
    const message = `The backup ${source.name} has version ${version} of its form; this program reads ${VERSION}.`;
    throw new LlmspellError('BACKUP_VERSION', message, { subject: source.name });
  }
  const { data, error } = manifestSchema.safeParse(json);
  if (data) return data;
  throw new Damage(`its ${MANIFEST} is not that of a backup (${error.issues[0]?.path.join('.') || 'no object'})`);
}

function parsed(bytes: Bytes): unknown {
  try {
    return JSON.parse(textOf(bytes) ?? '');
  } catch {
    return undefined;
  }
}

async function* readEntries(
  source: ArchiveSource,
  state: ZipEntry,
  manifest: ZipManifest,
): AsyncGenerator<readonly RawEntry[]> {
  const hash = createHash('sha256');
  let [number, last]: [number, Bytes] = [0, new Uint8Array(0)];
  for await (const lines of linesIn(readZipEntry(source, state), (piece) => hash.update(piece))) {
    const page = lines.map((line) => {
      const entry = importedEntry(parsed(line), ++number);
      if (compareBytes(last, entry.key) >= 0)
        throw new Damage(
          `line ${number} of its ${STATE} is not in order: each scope and key comes once, in byte order`,
        );
      last = entry.key;
      return entry;
    });
    yield page;
  }
  const { entries, sha256 } = manifest.state;
  if (number !== entries) throw new Damage(`its ${STATE} has ${number} lines where its manifest says ${entries}`);
  if (hash.digest('hex') !== sha256) throw new Damage(`the SHA-256 of its ${STATE} is not the one in its manifest`);
}

/** The lines that end in each piece. */
async function* linesIn(pieces: AsyncIterable<Bytes>, onPiece: (piece: Bytes) => void): AsyncGenerator<Bytes[]> {
  let begun: Bytes[] = [];
  let begunBytes = 0;
  for await (const piece of pieces) {
    onPiece(piece);
    const lines: Bytes[] = [];
    let from = 0;
    for (let end = piece.indexOf(0x0a); end >= 0; end = piece.indexOf(0x0a, from)) {
      const rest = piece.subarray(from, end);
      lines.push(begunBytes === 0 ? rest : Buffer.concat([...begun, rest]));
      [begun, begunBytes, from] = [[], 0, end + 1];
    }
    // A copy: what it is a part of may be used again.
    begun.push(Uint8Array.prototype.slice.call(piece, from));
    begunBytes += piece.length - from;
    if (begunBytes > MAX_LINE_BYTES) throw new Damage(`a line of its ${STATE} is longer than ${MAX_LINE_BYTES} bytes`);
    yield lines;
  }
  if (begunBytes > 0) yield [Buffer.concat(begun)];
}
