import { LlmspellError } from '../errors.js';
import { type Base, chooseBase } from './base.js';
import { TakenBack, type Writing, writeFull, writeIncremental } from './snapshot.js';
import type { ArchiveInfo, BackupOptions, BackupRecord } from './types.js';

export interface Written {
  info: ArchiveInfo;
  warnings: string[];
}

type IsSound = (id: string) => Promise<boolean>;

/** An incremental backup, or a full one with the reason in `warnings` where nothing is there that it could rest on. */
export async function writeOnTop(
  writing: Writing,
  records: readonly BackupRecord[],
  options: BackupOptions,
  isSound: IsSound,
): Promise<Written> {
  const made = options.incrementalEnabled
    ? await tryIncremental(writing, records, options, isSound)
    : { reason: 'incremental backups are switched off (incremental_enabled = false)' };
  if ('id' in made) return { info: made, warnings: [] };
  const reason = made.reason.replace(/\.$/, '');
  return { info: await writeFull(writing), warnings: [`This is a full backup: ${reason}.`] };
}

/** Goes back to ever older parents as long as the changes turn out to lead from before the one chosen. */
async function tryIncremental(
  writing: Writing,
  records: readonly BackupRecord[],
  options: BackupOptions,
  isSound: IsSound,
): Promise<ArchiveInfo | { reason: string }> {
  let atMostSeq = Number.POSITIVE_INFINITY;
  for (;;) {
    const base = chooseBase(writing.snapshot, records, options, writing.start.createdAtMs, atMostSeq);
    if ('reason' in base) return base;
    const damaged = await firstDamaged(base, isSound);
    if (damaged) return { reason: `backup ${damaged.id}, which it would rest on, is damaged` };
    try {
      return await writeIncremental(writing, base);
    } catch (error) {
      if (error instanceof LlmspellError && error.code === 'HISTORY_UNREACHABLE') return { reason: error.message };
      if (!(error instanceof TakenBack)) throw error;
      atMostSeq = error.toSeq;
    }
  }
}

async function firstDamaged({ chain }: Base, isSound: IsSound): Promise<BackupRecord | undefined> {
  for (const record of chain) if (!(await isSound(record.id))) return record;
  return undefined;
}
