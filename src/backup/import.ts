import { stat } from 'node:fs/promises';
import { errnoOf, LlmspellError } from '../errors.js';
import { Damage, damaged } from './archive-format.js';
import { rewriteArchive } from './archive-rewrite.js';
import { verifyArchive } from './archive-verify.js';
import { createArchiveWriter } from './archive-writer.js';
import { type Archives, copyArchive, markWritten } from './archives.js';
import { chainOf, recordsById } from './chain.js';
import { FileSource } from './directory-files.js';
import { findRecord } from './find.js';
import { reporter } from './operation.js';
import { newBackupId } from './repository.js';
import type { ArchiveInfo, ArchiveSource, BackupRecord, EncryptionKey, ImportOptions, ImportResult } from './types.js';
import { readZip, type ZipBackup } from './zip-backup.js';

const ZIP = Buffer.from('PK\x03\x04', 'latin1');
const ARCHIVE = Buffer.from('\x89LSB', 'latin1');

interface Import {
  archives: Archives;
  source: ArchiveSource;
  records: readonly BackupRecord[];
  options: ImportOptions;
}

/** Under which id it is there now. */
interface Imported {
  id: string;
  isNew: boolean;
  warnings: string[];
}

/**
 * Takes up a file that `export` wrote, of whatever state, machine or backend: all of it is read and checked first, and written as this repository
 * writes its archives. An id that another archive has is replaced by a new one. Within `exclusive`. Throws `USAGE` where there is no
 * such file, `BACKUP_DAMAGED`, `BACKUP_CHAIN_BROKEN`, `BACKUP_KEY`, `BACKUP_VERSION`, `VALUE_INVALID`; nothing is left behind then.
 */
export async function importFile(archives: Archives, path: string, options: ImportOptions): Promise<ImportResult> {
  const startMs = archives.clock.nowMs();
  const records = await archives.catalog.records();
  const source = await open(path);
  try {
    const work = { archives, source, records, options };
    const { id, isNew, warnings } = await ((await kindOf(source)) === 'zip' ? importZip(work) : importArchive(work));
    if (options.pin) await archives.catalog.setPinned(id, true);
    const after = await markWritten(archives, [id]);
    const backup = findRecord(id, after, archives.repository.location);
    return { backup, isNew, durationMs: archives.clock.nowMs() - startMs, warnings };
  } catch (error) {
    throw refusal(error, path);
  } finally {
    await source.close();
  }
}

async function open(path: string): Promise<FileSource> {
  const found = await stat(path).catch((error: unknown) => errnoOf(error));
  if (typeof found === 'object' && found.isFile())
    return await FileSource.open(path).catch((error: unknown) => {
      throw unreadable(path, String(errnoOf(error)));
    });
  if (typeof found === 'object') throw unreadable(path, 'it is not a file');
  throw unreadable(path, found === 'ENOENT' ? 'there is no such file' : String(found));
}

const unreadable = (path: string, reason: string) =>
  new LlmspellError('USAGE', `Cannot read ${path}: ${reason}.`, { subject: path, hint: 'Check the path.' });

/** What is wrong with a file of someone else's making: the hints for archives of this repository are none for it. */
function refusal(error: unknown, path: string): unknown {
  const told = error instanceof Damage ? damaged(path, error.message) : error;
  if (!(told instanceof LlmspellError) || (told.code !== 'BACKUP_DAMAGED' && told.code !== 'VALUE_INVALID'))
    return told;
  const hint = 'Nothing was imported. Fetch the file again from where it came from.';
  return new LlmspellError(told.code, told.message, { subject: path, cause: told, hint });
}

async function kindOf(source: ArchiveSource): Promise<'zip' | 'archive'> {
  const first = await source.read(0, Math.min(ZIP.length, source.sizeBytes));
  if (ZIP.equals(first)) return 'zip';
  if (ARCHIVE.equals(first)) return 'archive';
  throw new LlmspellError(
    'BACKUP_DAMAGED',
    `${source.name} is no backup: it begins neither as an archive nor as a zip.`,
  );
}

async function importArchive(work: Import): Promise<Imported> {
  const { archives, source, records, options } = work;
  const own = await archives.key();
  const key = options.key ?? own;
  const info = await verified(work, key);
  assertParent(info, work);
  const same = records.find(({ id }) => id === info.id);
  if (same?.sha256 === info.sha256) return { id: info.id, isNew: false, warnings: [] };
  const id = same ? newBackupId() : info.id;
  // Where this configuration does not encrypt, what is encrypted stays so: it is not for an import to open it.
  const newKey = own ?? (info.encrypted ? key : undefined);
  const isAsItIs = id === info.id && newKey === (info.encrypted ? key : undefined);
  const keys = { ...(key && { key }), ...(newKey && { newKey }) };
  await archives.repository.put(id, async (sink) => {
    if (isAsItIs) return await copyArchive(source, sink, options, reporter('import', options));
    await rewriteArchive(source, sink, { ...keys, id, ...(options.signal && { signal: options.signal }) });
  });
  const warnings = same ? [taken(info.id, id)] : [];
  if (info.encrypted && !own) warnings.push('It stays encrypted: name its key in the configuration to use it.');
  return { id, isNew: true, warnings };
}

/** What the file says of itself, once every byte of it has been found sound. */
async function verified({ source, options }: Import, key: EncryptionKey | undefined): Promise<ArchiveInfo> {
  const report = reporter('import', options);
  const { info, problems } = await verifyArchive(source, {
    ...(key && { key }),
    ...(options.signal && { signal: options.signal }),
    onProgress: (done, total) =>
      report({ phase: 'validate', done, ...(total !== undefined && { total }), message: `${done} bytes read` }),
  });
  const [problem] = problems;
  if (problem)
    throw new LlmspellError(CODES[problem.kind], `${source.name} cannot be imported: ${problem.message}`, {
      subject: source.name,
    });
  return info!;
}

const CODES = {
  checksum: 'BACKUP_DAMAGED',
  integrity: 'BACKUP_DAMAGED',
  key: 'BACKUP_KEY',
  version: 'BACKUP_VERSION',
} as const;

/** An archive copied from another directory may rest on one that is not here. */
function assertParent(info: ArchiveInfo, { records, source }: Import): void {
  const record = { ...info, isIncremental: !!info.parent, parentId: info.parent?.id, pinned: false };
  const [problem] = chainOf(record, recordsById(records)).problems;
  if (!problem) return;
  throw new LlmspellError('BACKUP_CHAIN_BROKEN', `${source.name} is not a whole backup: ${problem.message}`, {
    subject: source.name,
    hint: 'Write it with `llmspell backup export` where it was made.',
  });
}

async function importZip(work: Import): Promise<Imported> {
  const { archives, source, records, options } = work;
  const zip = await readZip(source);
  const { manifest } = zip;
  const isTaken = records.some(({ id }) => id === manifest.id);
  const id = isTaken ? newBackupId() : manifest.id;
  const key = await archives.key();
  await archives.repository.put(id, async (sink) => {
    const start = startOf(zip, id);
    const writing = { ...(key && { key }), ...(options.signal && { signal: options.signal }) };
    const writer = await createArchiveWriter(sink, { ...start, compression: archives.options.compression }, writing);
    const report = reporter('import', options);
    let done = 0;
    for await (const page of zip.entries()) {
      await writer.entries(page);
      done += page.length;
      report({ phase: 'entries', done, total: manifest.state.entries, message: `${done} entries` });
    }
    await writer.finish({});
  });
  return { id, isNew: true, warnings: isTaken ? [taken(manifest.id, id)] : [] };
}

function startOf({ manifest }: ZipBackup, id: string) {
  const { store_id: storeId, seq, time_ms: timeMs, schema_version: schemaVersion } = manifest;
  return {
    id,
    createdAtMs: manifest.created_at_ms,
    position: { storeId, seq, timeMs },
    description: manifest.description,
    tags: manifest.tags,
    ...(schemaVersion !== null && { schemaVersion }),
  };
}

const taken = (id: string, other: string): string =>
  `There is another backup ${id} here, so this one has the id ${other}.`;
