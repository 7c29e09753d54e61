import { resolve } from 'node:path';
import type { ExportResult, ImportResult } from '../../backup/types.js';
import { keyFromSource } from '../../host/backup-options.js';
import type { Context } from '../context.js';
import { exportDocument, importDocument } from '../documents.js';
import { byteCount, counted, duration } from '../format.js';
import { withProgress } from '../progress.js';
import { withHost } from '../with-host.js';

/** Writes a backup as one file that needs no other. */
export async function exportBackup(
  context: Context,
  [id = '', file = '']: string[],
  { force = false }: { force?: boolean },
): Promise<void> {
  await withHost(context, {}, async (host) => {
    const archives = await host.archives();
    const path = resolve(context.cwd, file);
    const result = await withProgress(context, (watching) =>
      archives.export(id, path, { overwrite: force, ...watching }),
    );
    for (const warning of result.warnings) context.out.notice(warning);
    context.out.result(exportDocument(result), () => exportText(result, file));
  });
}

function exportText({ backup, chain, sizeBytes, entryCount, durationMs }: ExportResult, file: string): string {
  const from = chain.length > 1 ? ` (made of ${counted(chain.length, 'backup')})` : '';
  return `Exported ${backup.id}${from} to ${file}: ${counted(entryCount, 'entry', 'entries')}, ${byteCount(sizeBytes)}, ${duration(durationMs)}.`;
}

/** Takes up a file that `export` wrote. */
export async function importBackup(
  context: Context,
  [file = '']: string[],
  flags: { key?: string; pin?: boolean },
): Promise<void> {
  await withHost(context, {}, async (host) => {
    const key = flags.key === undefined ? undefined : await keyFromSource(flags.key, context);
    const archives = await host.archives();
    const options = { ...(key && { key }), pin: flags.pin ?? false };
    const result = await withProgress(context, (watching) =>
      archives.import(resolve(context.cwd, file), { ...options, ...watching }),
    );
    for (const warning of result.warnings) context.out.notice(warning);
    context.out.result(importDocument(result), () => importText(result));
  });
}

function importText({ backup, isNew, durationMs }: ImportResult): string {
  if (!isNew) return `${backup.id} is there already.`;
  const what = `${counted(backup.entryCount, 'entry', 'entries')}, ${byteCount(backup.sizeBytes)}, ${duration(durationMs)}`;
  return `Imported ${backup.id}: ${what}.`;
}
