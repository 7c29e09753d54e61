import type { CompactResult, RekeyResult } from '../../backup/types.js';
import { EXIT, LlmspellError } from '../../errors.js';
import { keyFromSource } from '../../host/backup-options.js';
import type { Context } from '../context.js';
import { compactDocument, rekeyDocument } from '../documents.js';
import { byteCount, columns, counted, duration } from '../format.js';
import type { Style } from '../output.js';
import { withProgress } from '../progress.js';
import { withHost } from '../with-host.js';

/** Makes a full backup of one that rests on others. */
export async function compact(context: Context, [id = '']: string[]): Promise<void> {
  await withHost(context, {}, async (host) => {
    const archives = await host.archives();
    const result = await withProgress(context, (watching) => archives.compact(id, watching));
    for (const warning of result.warnings) context.out.notice(warning);
    context.out.result(compactDocument(result), () => compactText(result));
  });
}

function compactText({ backup, chain, rewritten, durationMs }: CompactResult): string {
  if (chain.length === 1) return `${backup.id} stays as it is.`;
  const made = `${backup.id}  full, made of ${counted(chain.length, 'backup')}, ${counted(backup.entryCount, 'entry', 'entries')}, ${byteCount(backup.sizeBytes)}, ${duration(durationMs)}`;
  return rewritten.length === 0 ? made : `${made}\n${counted(rewritten.length, 'backup')} on it written again.`;
}

export interface RekeyFlags {
  all?: boolean;
  oldKey?: string;
  newKey?: string;
}

/** Encrypts backups with another key. Exit 4 where one of them is damaged, 1 where one failed for another reason. */
export async function rekey(context: Context, [id]: string[], flags: RekeyFlags): Promise<number> {
  if ((id === undefined) !== (flags.all === true))
    throw new LlmspellError('USAGE', 'Name either a backup or, with --all, all of them.');
  return withHost(context, {}, async (host) => {
    const oldKey = flags.oldKey === undefined ? undefined : await keyFromSource(flags.oldKey, context);
    const newKey = flags.newKey === undefined ? undefined : await keyFromSource(flags.newKey, context);
    const archives = await host.archives();
    const keys = { ...(oldKey && { oldKey }), ...(newKey !== undefined && { newKey }) };
    const results = await withProgress(context, (watching) => archives.rekey(id, { ...keys, ...watching }));
    context.out.result(rekeyDocument(results), (style) => rekeyText(results, style));
    return Math.max(EXIT.done, ...results.map(({ error }) => error?.exitCode ?? EXIT.done));
  });
}

function rekeyText(results: readonly RekeyResult[], style: Style): string {
  if (results.length === 0) return 'There are no backups yet.';
  const rows = results.map(({ backupId, status, error }) => [
    backupId,
    status === 'failed' ? style.red(status) : status,
    error?.message ?? '',
  ]);
  return columns(rows);
}
