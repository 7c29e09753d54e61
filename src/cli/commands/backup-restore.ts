import { EXIT, LlmspellError } from '../../errors.js';
import { parseTime } from '../../host/arguments.js';
import type { Host } from '../../host/host.js';
import type { DrillResult, RecoveryTarget, RestoreOptions, RestoreResult } from '../../recovery/types.js';
import { utf8 } from '../../util/bytes.js';
import { confirm } from '../confirm.js';
import type { Context } from '../context.js';
import { drillDocument, restoreDocument } from '../documents.js';
import { columns, counted, duration, localTime } from '../format.js';
import type { Style } from '../output.js';
import { withProgress } from '../progress.js';
import { withHost } from '../with-host.js';

export interface RestoreFlags {
  to?: string | number;
  dryRun?: boolean;
  scope?: readonly string[];
  /** False with `--no-backup`. */
  backup: boolean;
  skipVerify?: boolean;
  preserveUntracked?: boolean;
  yes?: boolean;
}

/** Takes the state back to a backup or to a moment. */
export async function restore(context: Context, [id]: string[], flags: RestoreFlags): Promise<void> {
  if ((id === undefined) === (flags.to === undefined))
    throw new LlmspellError('USAGE', 'Name either a backup or, with --to, a moment.');
  await withHost(context, { persistent: true }, async (host) => {
    const target = await targetOf(host, id, flags.to);
    if (!flags.dryRun) await confirm(context, question(target, flags.scope), flags.yes);
    const recovery = await host.recovery();
    const result = await withProgress(context, (watching) =>
      recovery.restore(target, { ...restoreOptions(flags), ...watching }),
    );
    for (const warning of result.warnings) context.out.notice(warning);
    context.out.result(restoreDocument(result), () => restoreText(result));
  });
}

async function targetOf(host: Host, id: string | undefined, to: string | number | undefined): Promise<RecoveryTarget> {
  if (id?.startsWith('rollback-')) return { backupId: id };
  if (id !== undefined) return { backupId: (await (await host.archives()).find(id)).id };
  const timeMs = parseTime(to);
  if (timeMs === undefined) throw new LlmspellError('USAGE', `"${to}" is neither an ISO 8601 time nor @SECONDS.`);
  return { timeMs };
}

function question(target: RecoveryTarget, scopes: readonly string[] | undefined): string {
  const what = scopes ? `the ${scopes.length === 1 ? 'scope' : 'scopes'} ${scopes.join(', ')}` : 'the whole state';
  const when =
    'backupId' in target ? target.backupId : 'timeMs' in target ? localTime(target.timeMs) : `change ${target.seq}`;
  return `Take ${what} back to ${when}?`;
}

const restoreOptions = (flags: RestoreFlags): RestoreOptions => ({
  dryRun: flags.dryRun ?? false,
  ...(flags.scope && { scopes: flags.scope.map(utf8) }),
  preserveUntracked: flags.preserveUntracked ?? false,
  backupCurrent: flags.backup,
  verify: !flags.skipVerify,
});

function restoreText(result: RestoreResult): string {
  const restored = counted(result.entriesRestored, 'entry', 'entries');
  const deleted = counted(result.entriesDeleted, 'entry', 'entries');
  const what = `the state of ${localTime(result.restoredToMs)}: ${restored} restored, ${deleted} deleted`;
  if (result.dryRun) return `Would restore ${what}, from\n${sourceText(result)}`;
  const undo =
    result.rollbackId === undefined ? '' : `\nUndo it with \`llmspell backup restore ${result.rollbackId}\`.`;
  return `Restored ${what}, in ${duration(result.durationMs)}.${undo}`;
}

function sourceText({ plan }: RestoreResult): string {
  if (plan.chain.length === 0) return '  the history of the state itself';
  return columns(
    plan.chain.map(({ id, isIncremental, createdAtMs, recordCount }) => [
      `  ${id}`,
      isIncremental ? 'incremental' : 'full',
      localTime(createdAtMs),
      counted(recordCount, 'record'),
    ]),
  );
}

/** Proves that a backup restores, without touching the state. Exit 4 where it does not. */
export async function drill(context: Context, [id = 'latest']: string[]): Promise<number> {
  return withHost(context, {}, async (host) => {
    const { drill: restoreAndCompare } = await import('../../recovery/drill.js');
    const archives = await host.archives();
    const result = await withProgress(context, (watching) => restoreAndCompare(archives, id, watching));
    context.out.result(drillDocument(result), (style) => drillText(result, style));
    return result.success ? EXIT.done : EXIT.damaged;
  });
}

function drillText(
  { backupId, success, entriesCompared, entriesDifferent, errors, durationMs }: DrillResult,
  style: Style,
) {
  const verdict = success ? style.green('restores') : style.red('DOES NOT RESTORE');
  const compared = `${counted(entriesCompared, 'entry', 'entries')} compared, ${entriesDifferent} different`;
  const lines = [
    `${backupId}  ${verdict}  ${compared}, ${duration(durationMs)}`,
    ...errors.map((error) => `  ${style.red(error)}`),
  ];
  return lines.join('\n');
}
