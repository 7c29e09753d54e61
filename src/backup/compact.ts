import { LlmspellError } from '../errors.js';
import { createArchiveWriter } from './archive-writer.js';
import { type Archives, markWritten, Rewriter } from './archives.js';
import { descendantsOf, recordsById, soundChainOf } from './chain.js';
import { findRecord } from './find.js';
import { reporter } from './operation.js';
import type { ArchiveInfo, ArchiveSink, BackupRecord, CompactResult, OperationOptions } from './types.js';

/** One compaction under way. */
interface Compaction {
  archives: Archives;
  head: BackupRecord;
  chain: readonly BackupRecord[];
  options: OperationOptions;
}

/**
 * Makes a full backup of one that rests on others, under the same id and of the same moment, without the state itself. What rests on it is written
 * again, with its new digest, and all of it takes effect at once. Within `exclusive`. Throws as `find`, `BACKUP_DAMAGED`,
 * `BACKUP_CHAIN_BROKEN`, `BACKUP_KEY`; everything is then as it was.
 */
export async function compact(
  archives: Archives,
  reference: string,
  options: OperationOptions,
): Promise<CompactResult> {
  const startMs = archives.clock.nowMs();
  const records = await archives.catalog.records();
  const head = findRecord(reference, records, archives.repository.location);
  const chain = soundChainOf(head, recordsById(records));
  const children = chain.length > 1 ? descendantsOf(head.id, records) : [];
  for (const child of children) soundChainOf(child, recordsById(records));
  await assertSound(archives, [...chain, ...children]);
  if (chain.length > 1) await replace({ archives, head, chain, options }, children);
  const after = await markWritten(archives, chain.length > 1 ? [head, ...children].map(({ id }) => id) : []);
  return {
    backup: findRecord(head.id, after, archives.repository.location),
    chain: chain.map(({ id }) => id),
    rewritten: children.map(({ id }) => id),
    durationMs: archives.clock.nowMs() - startMs,
    warnings: warningsOf(head, chain),
  };
}

async function replace(compaction: Compaction, children: readonly BackupRecord[]): Promise<void> {
  const { archives, head, options } = compaction;
  const key = await archives.key();
  const keys = key ? { key, newKey: key } : {};
  const rewriter = new Rewriter(archives.repository);
  const byId = recordsById(children);
  const ids = [head, ...children].map(({ id }) => id);
  await archives.repository.replace(ids, async (id, sink) => {
    const child = byId.get(id);
    if (child) await rewriter.rewrite(child, sink, { ...keys, ...(options.signal && { signal: options.signal }) });
    else rewriter.wrote(await writeMerged(compaction, sink));
  });
}

async function writeMerged({ archives, head, chain, options }: Compaction, sink: ArchiveSink): Promise<ArchiveInfo> {
  const report = reporter('compact', options);
  const key = await archives.key();
  const { parent: _, ...start } = head;
  const state = await archives.openState(chain, options);
  try {
    const writer = await createArchiveWriter(
      sink,
      { ...start, compression: archives.options.compression },
      { ...(key && { key }), ...(options.signal && { signal: options.signal }) },
    );
    let done = 0;
    for await (const page of state.entries()) {
      await writer.entries(page);
      done += page.length;
      report({ phase: 'entries', backupId: head.id, done, message: `${done} entries` });
    }
    return await writer.finish({});
  } finally {
    await state.close();
  }
}

/** Writing an archive again gives it a new digest: what was wrong with it must not be sealed by that. */
export async function assertSound(archives: Archives, records: readonly BackupRecord[]): Promise<void> {
  for (const { id } of records) {
    if (await archives.isSound(id)) continue;
    throw new LlmspellError('BACKUP_DAMAGED', `Backup ${id} is damaged: nothing was written anew.`, { subject: id });
  }
}

function warningsOf({ id, parent }: BackupRecord, chain: readonly BackupRecord[]): string[] {
  if (!parent) return [`Backup ${id} is a full one already.`];
  const [from, to] = [parent.fromTimeMs, chain.at(-1)!.position.timeMs].map((ms) => new Date(ms).toISOString());
  return from === to ? [] : [`The backups no longer tell of the moments between ${from} and ${to}.`];
}
