import type { CleanupResult, CreateResult } from '../../backup/types.js';
import type { Context } from '../context.js';
import { backupDocument, cleanupDocument } from '../documents.js';
import { byteCount, columns, counted, duration } from '../format.js';
import { withProgress } from '../progress.js';
import { withHost } from '../with-host.js';

export interface CreateFlags {
  incremental?: boolean;
  description?: string;
  tag?: readonly string[];
  pin?: boolean;
}

/** Backs the state up. */
export async function create(context: Context, _: string[], flags: CreateFlags): Promise<void> {
  const { incremental = false, description = '', tag: tags = [], pin = false } = flags;
  await withHost(context, { persistent: true }, async (host) => {
    const backups = await host.backups();
    const result = await withProgress(context, (watching) =>
      backups.create({ incremental, description, tags, pin, ...watching }),
    );
    for (const warning of result.warnings) context.out.notice(warning);
    context.out.result(createDocument(result), () => createText(result));
  });
}

const createDocument = ({ backup, durationMs, warnings, retention }: CreateResult) => ({
  ...backupDocument(backup),
  duration_ms: durationMs,
  warnings,
  ...(retention && { retention: cleanupDocument(retention) }),
});

/** What became of one backup, for people. */
export function createText({ backup, durationMs, retention }: CreateResult): string {
  const type = backup.isIncremental ? `incremental on ${backup.parentId}` : 'full';
  const made = `${backup.id}  ${type}, ${counted(backup.entryCount, 'entry', 'entries')}, ${byteCount(backup.sizeBytes)}, ${duration(durationMs)}`;
  if (!retention || retention.deletedCount === 0) return made;
  return `${made}\nRetention deleted ${counted(retention.deletedCount, 'backup')}, ${byteCount(retention.spaceFreedBytes)}.`;
}

/** Deletes one backup. */
export async function remove(context: Context, [id = '']: string[]): Promise<void> {
  await withHost(context, {}, async (host) => {
    const record = await (await host.archives()).delete(id, context);
    context.out.result({ deleted: record.id }, () => `Deleted ${record.id}.`);
  });
}

/** Deletes what retention no longer keeps. */
export async function cleanup(context: Context, _: string[], { dryRun = false }: { dryRun?: boolean }): Promise<void> {
  await withHost(context, {}, async (host) => {
    const result = await (await host.archives()).cleanup({ dryRun, signal: context.signal });
    context.out.result(cleanupDocument(result), () => cleanupText(result));
  });
}

function cleanupText({ dryRun, decisions, deletedCount, retainedCount, spaceFreedBytes }: CleanupResult): string {
  const deleted = dryRun ? 'delete' : 'deleted';
  const rows = decisions.map(({ id, keep, reason }) => [keep ? 'keep' : deleted, id, reason]);
  const would = dryRun ? 'Would delete' : 'Deleted';
  const sum = `${would} ${counted(deletedCount, 'backup')} (${byteCount(spaceFreedBytes)}), ${counted(retainedCount, 'backup')} kept.`;
  return rows.length === 0 ? sum : `${columns(rows)}\n${sum}`;
}

const setPinned =
  (pinned: boolean) =>
  async (context: Context, [id = '']: string[]): Promise<void> => {
    await withHost(context, {}, async (host) => {
      const archives = await host.archives();
      const record = await (pinned ? archives.pin(id) : archives.unpin(id));
      context.out.result(backupDocument(record), () => `${pinned ? 'Pinned' : 'Unpinned'} ${record.id}.`);
    });
  };

/** Keeps a backup whatever retention says. */
export const pin = setPinned(true);
/** Leaves a backup to retention again. */
export const unpin = setPinned(false);
