import type { FileHandle } from 'node:fs/promises';
import { LlmspellError } from '../errors.js';
import type { RawEntry } from '../state/types.js';
import { throwIfAborted } from '../util/abort.js';
import { outputFile } from '../util/output-file.js';
import { verifyArchive } from './archive-verify.js';
import { createArchiveWriter } from './archive-writer.js';
import { type Archives, copyArchive } from './archives.js';
import { recordsById, soundChainOf } from './chain.js';
import { findRecord } from './find.js';
import { reporter } from './operation.js';
import type { BackupRecord, ExportOptions, ExportResult } from './types.js';
import { writeZip } from './zip-backup.js';

interface Export {
  archives: Archives;
  head: BackupRecord;
  chain: readonly BackupRecord[];
  options: ExportOptions;
}

type Written = Pick<ExportResult, 'sizeBytes' | 'entryCount'>;

/**
 * Writes a backup as one file that needs no other: a full archive of the same moment, or, where the name ends in `.zip`, a zip with its entries as
 * JSON. Throws as `find`, `BACKUP_DAMAGED`, `BACKUP_CHAIN_BROKEN`, `BACKUP_KEY`, `OUTPUT_FAILED`; the file is then not there.
 */
export async function exportBackup(
  archives: Archives,
  reference: string,
  path: string,
  options: ExportOptions,
): Promise<ExportResult> {
  const startMs = archives.clock.nowMs();
  const records = await archives.catalog.records();
  const head = findRecord(reference, records, archives.repository.location);
  const chain = soundChainOf(head, recordsById(records));
  const format = /\.zip$/i.test(path) ? 'zip' : 'archive';
  const work = { archives, head, chain, options };
  const replace = options.overwrite ?? false;
  const written = await outputFile(path, { replace }, (file) =>
    format === 'zip' ? asZip(work, file) : asArchive(work, file),
  );
  const isOpen = format === 'zip' && head.encrypted;
  return {
    ...written,
    backup: head,
    file: path,
    format,
    chain: chain.map(({ id }) => id),
    durationMs: archives.clock.nowMs() - startMs,
    warnings: isOpen ? ['The backup is encrypted, and the zip is not: whoever has it can read it.'] : [],
  };
}

async function asZip(work: Export, file: FileHandle): Promise<Written> {
  return await withEntries(work, (entries) => writeZip(file, work.head, entries));
}

/** A full archive is self-contained as it is, also where its key is not known. */
async function asArchive(work: Export, file: FileHandle): Promise<Written> {
  return work.head.isIncremental ? await flattened(work, file) : await copied(work, file);
}

async function flattened(work: Export, file: FileHandle): Promise<Written> {
  const { archives, head, options } = work;
  const { parent: _, ...start } = head;
  const key = await archives.key();
  const sink = { write: (bytes: Uint8Array) => file.writeFile(bytes) };
  const writing = { ...(key && { key }), ...(options.signal && { signal: options.signal }) };
  const writer = await createArchiveWriter(sink, { ...start, compression: archives.options.compression }, writing);
  return await withEntries(work, async (entries) => {
    for await (const page of entries) await writer.entries(page);
    const { sizeBytes, entryCount } = await writer.finish({});
    return { sizeBytes, entryCount };
  });
}

async function withEntries<T>(
  { archives, head, chain, options }: Export,
  use: (entries: AsyncIterable<readonly RawEntry[]>) => Promise<T>,
): Promise<T> {
  const report = reporter('export', options);
  const state = await archives.openState(chain, options);
  const told = async function* () {
    let done = 0;
    for await (const page of state.entries()) {
      yield page;
      done += page.length;
      report({ phase: 'entries', backupId: head.id, done, message: `${done} entries` });
      throwIfAborted(options.signal);
    }
  };
  try {
    return await use(told());
  } finally {
    await state.close();
  }
}

async function copied({ archives, head, options }: Export, file: FileHandle): Promise<Written> {
  const report = reporter('export', options);
  const key = await archives.key();
  const source = await archives.repository.get(head.id);
  try {
    const { problems } = await verifyArchive(source, {
      ...(key && { key }),
      ...(options.signal && { signal: options.signal }),
    });
    const problem = problems.find(({ kind }) => kind !== 'key');
    if (problem)
      throw new LlmspellError('BACKUP_DAMAGED', `Backup ${head.id} is damaged: ${problem.message}`, {
        subject: head.id,
      });
    const sink = { write: (bytes: Uint8Array) => file.writeFile(bytes) };
    await copyArchive(source, sink, options, report);
    return { sizeBytes: source.sizeBytes, entryCount: head.entryCount };
  } finally {
    await source.close();
  }
}
