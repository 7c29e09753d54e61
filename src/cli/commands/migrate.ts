import { EXIT, toPlainError } from '../../errors.js';
import type { Host } from '../../host/host.js';
import { failureText, MigrationFailure } from '../../migration/failure.js';
import type { MigrationResult, MigrationStatus, SchemaCheck } from '../../migration/migrator.js';
import type { MigrationPlan, Schema } from '../../migration/types.js';
import { confirm } from '../confirm.js';
import type { Context } from '../context.js';
import { columns, counted, duration } from '../format.js';
import {
  failureDocument,
  migrationDocument,
  schemaCheckDocument,
  schemaDocument,
  statusDocument,
} from '../migration-documents.js';
import type { Style } from '../output.js';
import { withProgress } from '../progress.js';
import { withHost } from '../with-host.js';

/** Of a dry run, for people; programs get them all. */
const SHOWN_SCOPES = 10;
const LOOKING = { readOnly: true, persistent: true };

/** Which version the state is of, and where it can go. */
export async function status(context: Context): Promise<void> {
  await withHost(context, LOOKING, async (host) => {
    const found = await (await host.migration()).status();
    context.out.result(statusDocument(found), (style) => statusText(found, style));
  });
}

function statusText(found: MigrationStatus, style: Style): string {
  const { currentVersion, latestVersion, isAssumed, isLatest, targets, error } = found;
  if (currentVersion === undefined) return `${error}.`;
  const current = isAssumed
    ? `${currentVersion} ${style.dim('(taken for it: it has no version yet)')}`
    : currentVersion;
  const rows: [string, string][] = [
    ['current', isLatest ? `${current} ${style.green('(latest)')}` : current],
    ['latest', latestVersion ?? '-'],
    ['can go to', targets.length === 0 ? '-' : targets.join(', ')],
  ];
  if (error !== undefined) rows.push(['problem', style.red(error)]);
  return columns(rows.map(([name, value]) => [style.dim(name), value]));
}

/** The schemas, lowest first. */
export async function versions(context: Context): Promise<void> {
  await withHost(context, LOOKING, async (host) => {
    const migrator = await host.migration();
    const [schemas, { currentVersion }] = [await migrator.schemas(), await migrator.status()];
    context.out.result({ current_version: currentVersion ?? null, schemas: schemas.map(schemaDocument) }, (style) =>
      schemas.length === 0 ? 'There are no schemas yet.' : versionsText(schemas, currentVersion, style),
    );
  });
}

function versionsText(schemas: readonly Schema[], current: string | undefined, style: Style): string {
  const header = ['', 'version', 'from', 'steps', 'description'].map(style.dim);
  const rows = schemas.map(({ version, from, steps, description }) => [
    version === current ? style.green('*') : ' ',
    version,
    from ?? '-',
    String(steps.length),
    description,
  ]);
  return columns([header, ...rows]);
}

/** Migrates the state, or says what that would do. Exit 1 where entries stand in the way. */
export async function run(
  context: Context,
  [version]: string[],
  { dryRun = false, yes }: { dryRun?: boolean; yes?: boolean },
): Promise<number> {
  return await withHost(context, { readOnly: dryRun, persistent: true }, async (host) => {
    const plan = await (await host.migration()).plan(version);
    if (!dryRun && plan.legs.length > 0) await confirm(context, question(plan), yes);
    return await migrate(context, host, plan.to, dryRun);
  });
}

/** Also what `backup restore --migrate` does after restoring. */
export async function migrate(context: Context, host: Host, to: string, dryRun: boolean): Promise<number> {
  const migrator = await host.migration();
  try {
    const result = await withProgress(context, (watching) => migrator.migrate(to, { dryRun, ...watching }));
    for (const warning of result.warnings) context.out.notice(warning);
    context.out.result(migrationDocument(result), (style) => resultText(result, style));
    return result.failureCount === 0 ? EXIT.done : EXIT.failed;
  } catch (error) {
    if (!(error instanceof MigrationFailure)) throw error;
    tellFailure(context, error);
    return error.exitCode;
  }
}

function question({ from, to, kind, legs }: MigrationPlan): string {
  const way =
    legs.length > 1
      ? ` by way of ${legs
          .slice(0, -1)
          .map((leg) => leg.to)
          .join(', ')}`
      : '';
  const what = kind === 'breaking' ? ' Scripts written for the present version may have to be changed.' : '';
  return `Migrate the state from ${from} to ${to}${way}?${what}`;
}

/** All the entries that fail, as far as they are known; the one error as everywhere. */
function tellFailure(context: Context, failure: MigrationFailure): void {
  const { failures, failureCount } = failure;
  context.out.failure(toPlainError(failure), {
    failures: failures.map(failureDocument),
    failure_count: failureCount,
  });
  if (context.out.json) return;
  for (const one of failures) context.out.notice(failureText(one));
  if (failureCount > failures.length) context.out.notice(`… and ${failureCount - failures.length} more`);
}

function resultText(result: MigrationResult, style: Style): string {
  const { status: outcome, fromVersion, toVersion, entriesMigrated, entriesChecked, dryRun, durationMs } = result;
  if (outcome === 'already_current') return `The state is of version ${toVersion} already.`;
  const changed = `${counted(entriesMigrated, 'entry', 'entries')} of ${entriesChecked.toLocaleString('en-US')}`;
  if (dryRun) return dryRunText(result, changed, style);
  const undo =
    result.rollbackId === undefined ? [] : [`Undo it with \`llmspell backup restore ${result.rollbackId}\`.`];
  const backup = result.backupId === undefined ? [] : [`The backup before it is ${result.backupId}.`];
  return [
    `Migrated from ${fromVersion} to ${toVersion}: ${changed} changed, in ${duration(durationMs)}.`,
    ...backup,
    ...undo,
  ].join('\n');
}

function dryRunText(result: MigrationResult, changed: string, style: Style): string {
  const { fromVersion, toVersion, plan, byStep, byScope, entriesMigrated, differences, failures, failureCount } =
    result;
  const path = [fromVersion, ...plan.legs.map(({ to }) => to)].join(' → ');
  const color = { compatible: style.green, breaking: style.yellow, impossible: style.red };
  const steps = byStep.map((step) => [
    `  ${step.from} → ${step.to}`,
    `${step.scope}/${step.key}`,
    step.what,
    String(step.entries),
  ]);
  const shownScopes = byScope.slice(0, SHOWN_SCOPES);
  const rest = entriesMigrated - shownScopes.reduce((sum, { entries }) => sum + entries, 0);
  const scopes = shownScopes.map(({ scope, entries }) => [`  ${scope}`, String(entries)]);
  if (rest > 0) scopes.push(['  other scopes', String(rest)]);
  const shown = differences.flatMap(({ scope, key, before, after }) => [
    `  ${style.bold(`${scope} ${key}`)}`,
    style.red(`    - ${JSON.stringify(before)}`),
    ...(after === null ? [] : [style.green(`    + ${JSON.stringify(after)}`)]),
  ]);
  const failed = failures.map((failure) => style.red(`  ${failureText(failure)}`));
  const named = plan.changes
    .filter(({ kind }) => kind !== 'compatible')
    .map(({ kind, what }) => `  ${color[kind](kind)}: ${what}`);
  return [
    `Would migrate to ${toVersion} (${path}, ${color[plan.kind](plan.kind)}): ${changed} would change.`,
    ...section('What scripts will notice:', named),
    ...section('By step:', lines(steps)),
    ...section('By scope:', lines(scopes)),
    ...section(differences.length < entriesMigrated ? 'The first differences:' : 'Differences:', shown),
    ...section(`${counted(failureCount, 'problem')} in the way:`, failed),
  ].join('\n');
}

const lines = (rows: string[][]): string[] => (rows.length === 0 ? [] : columns(rows).split('\n'));
const section = (title: string, body: readonly string[]): string[] => (body.length === 0 ? [] : [title, ...body]);

/** Checks the schemas and the entries. Exit 1 where something is wrong. */
export async function validate(context: Context): Promise<number> {
  return await withHost(context, LOOKING, async (host) => {
    const migrator = await host.migration();
    const check = await withProgress(context, (watching) => migrator.validate(watching));
    context.out.result(schemaCheckDocument(check), (style) => checkText(check, style));
    return check.isValid ? EXIT.done : EXIT.failed;
  });
}

function checkText(
  { isValid, versions: known, problems, version, entriesChecked, failures, failureCount }: SchemaCheck,
  style: Style,
) {
  const checked = `${counted(known.length, 'schema')}, ${counted(entriesChecked, 'entry', 'entries')}`;
  const against = version === undefined ? '' : ` against version ${version}`;
  const verdict = isValid ? style.green('sound') : style.red('NOT SOUND');
  const more = failureCount > failures.length ? [`… and ${failureCount - failures.length} more`] : [];
  return [
    ...problems.map((problem) => style.red(problem)),
    ...failures.map((failure) => style.red(failureText(failure))),
    ...more,
    `${checked}${against}: ${verdict}`,
  ].join('\n');
}
