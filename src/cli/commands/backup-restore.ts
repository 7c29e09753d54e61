import { resolve } from 'node:path';
import { EXIT, LlmspellError } from '../../errors.js';
import { parseMoment } from '../../host/arguments.js';
import type { Host } from '../../host/host.js';
import type { DrillResult, RecoveryTarget, RestoreOptions, RestoreResult } from '../../recovery/types.js';
import { utf8 } from '../../util/bytes.js';
import { confirm } from '../confirm.js';
import type { Context } from '../context.js';
import { drillDocument, restoreDocument } from '../documents.js';
import { byteCount, columns, counted, duration, localTime } from '../format.js';
import type { Style } from '../output.js';
import { withProgress } from '../progress.js';
import { withHost } from '../with-host.js';

export interface RestoreFlags {
  to?: string | number;
  into?: string;
  dryRun?: boolean;
  scope?: readonly string[];
  /** False with `--no-backup`. */
  backup: boolean;
  skipVerify?: boolean;
  preserveUntracked?: boolean;
  yes?: boolean;
  migrate?: boolean;
}

/** Takes the state back to a backup or to a moment, or makes a new state of it elsewhere. */
export async function restore(context: Context, [id]: string[], flags: RestoreFlags): Promise<void> {
  if ((id === undefined) === (flags.to === undefined))
    throw new LlmspellError('USAGE', 'Name either a backup or, with --to, a moment.');
  await withHost(context, { persistent: flags.into === undefined }, async (host) => {
    const target = await targetOf(host, id ?? flags.to!, id === undefined);
    const result = await (flags.into === undefined
      ? restoreLive(context, host, target, flags)
      : restoreElsewhere(context, host, target, { ...flags, into: flags.into }));
    for (const warning of result.warnings) context.out.notice(warning);
    context.out.result(restoreDocument(result), () => restoreText(result, flags.into));
  });
}

/** Restores, and with `--migrate` takes what was restored to the version that the state is of now. */
async function restoreLive(context: Context, host: Host, target: RecoveryTarget, flags: RestoreFlags) {
  const wanted = flags.migrate ? await versionToKeep(host, flags) : undefined;
  const restored = await restoreOnly(context, host, target, flags);
  if (wanted === undefined || restored.schemaVersion === wanted) return restored;
  const migrator = await host.migration();
  const { warnings } = await withProgress(context, (watching) => migrator.migrate(wanted, watching));
  return {
    ...restored,
    schemaVersion: wanted,
    warnings: [...warnings, `It was migrated to schema version ${wanted}.`],
  };
}

async function versionToKeep(
  host: Host,
  { scope, dryRun, preserveUntracked }: RestoreFlags,
): Promise<string | undefined> {
  if (scope || dryRun || preserveUntracked)
    throw new LlmspellError('USAGE', '--migrate goes with a restore of the whole state, and not with --dry-run.', {
      hint: 'Restore the whole state, or leave --migrate out.',
    });
  const { currentVersion, isAssumed } = await (await host.migration()).status();
  return isAssumed ? undefined : currentVersion;
}

async function restoreOnly(context: Context, host: Host, target: RecoveryTarget, flags: RestoreFlags) {
  if (!flags.dryRun) await confirm(context, question(target, flags.scope), flags.yes);
  const recovery = await host.recovery();
  return await withProgress(context, (watching) => recovery.restore(target, { ...restoreOptions(flags), ...watching }));
}

/** The state itself is not opened: another process may hold it. */
async function restoreElsewhere(
  context: Context,
  host: Host,
  target: RecoveryTarget,
  flags: RestoreFlags & { into: string },
) {
  const directory = resolve(context.cwd, flags.into);
  return await withProgress(context, (watching) =>
    host.restoreInto(target, directory, { ...restoreOptions(flags), ...watching }),
  );
}

/** @param isMoment it was given with `--to`: a time or the number of a change as well as a backup. */
async function targetOf(host: Host, given: string | number, isMoment: boolean): Promise<RecoveryTarget> {
  const target = isMoment ? parseMoment(given) : { backupId: String(given) };
  if (!target)
    throw new LlmspellError('USAGE', `"${given}" is neither an ISO 8601 time nor @SECONDS, seq:NUMBER or a backup.`);
  if (!('backupId' in target) || target.backupId.startsWith('rollback-')) return target;
  return { backupId: (await (await host.archives()).find(target.backupId)).id };
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

function restoreText(result: RestoreResult, into: string | undefined): string {
  const restored = counted(result.entriesRestored, 'entry', 'entries');
  const deleted = counted(result.entriesDeleted, 'entry', 'entries');
  const what = `the state of ${localTime(result.restoredToMs)}: ${restored} restored, ${deleted} deleted`;
  if (result.dryRun) return [`Would restore ${what}, from`, sourceText(result), ...gapsText(result)].join('\n');
  if (into !== undefined) return `Restored ${what}, into ${into}, in ${duration(result.durationMs)}.`;
  const undo =
    result.rollbackId === undefined ? '' : `\nUndo it with \`llmspell backup restore ${result.rollbackId}\`.`;
  return `Restored ${what}, in ${duration(result.durationMs)}.${undo}`;
}

function sourceText({ plan }: RestoreResult): string {
  if (plan.history)
    return `  the history of the state itself, which goes back to change ${plan.history.fromSeq}, up to change ${plan.history.toSeq}`;
  const rows = plan.chain.map(({ id, isIncremental, createdAtMs, sizeBytes, recordCount }) => [
    `  ${id}`,
    isIncremental ? 'incremental' : 'full',
    localTime(createdAtMs),
    byteCount(sizeBytes),
    isIncremental ? counted(recordCount, 'change') : counted(recordCount, 'entry', 'entries'),
  ]);
  return columns(rows);
}

/** What no restore can give, and why. */
function gapsText({ reach }: RestoreResult): string[] {
  if (!reach) return [];
  const { fromMs, gaps, unusable } = reach;
  const lines = [
    ...(fromMs ? [`  before ${localTime(fromMs)}: nothing tells of it`] : []),
    ...gaps.map((gap) => `  from ${localTime(gap.fromMs)} to ${localTime(gap.toMs)}: ${gap.reason}`),
    ...unusable.map(({ id, reason }) => `  backup ${id}: ${reason}`),
  ];
  return lines.length === 0 ? [] : ['Not reachable:', ...lines];
}

/** Proves that a backup restores, without touching the state. Exit 4 where it does not. */
export async function drill(context: Context, [id = 'latest']: string[]): Promise<number> {
  return withHost(context, {}, async (host) => {
    const result = await withProgress(context, (watching) => host.drill(id, watching));
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
