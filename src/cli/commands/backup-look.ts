import { creationOf } from '../../backup/chain.js';
import type { BackupRecord, ScopeUsage, StateDiff, ValidationResult } from '../../backup/types.js';
import { EXIT } from '../../errors.js';
import { printable } from '../../util/bytes.js';
import { drawChains } from '../chains.js';
import type { Context } from '../context.js';
import { backupDocument, infoDocument, nameDocument, validationDocument } from '../documents.js';
import { byteCount, columns, counted, duration, fitted, localTime, span, terminalWidth } from '../format.js';
import type { Style } from '../output.js';
import { withProgress } from '../progress.js';
import { withHost } from '../with-host.js';

/** The backups, oldest first, with the chains they form. */
export async function list(context: Context, _: string[], options: { limit?: number; tag?: string }): Promise<void> {
  await withHost(context, {}, async (host) => {
    const archives = await host.archives();
    const [all, shown] = [await archives.list(), await archives.list(options)];
    context.out.result({ backups: shown.map(backupDocument) }, (style) => listText(all, shown, style));
  });
}

function listText(all: readonly BackupRecord[], shown: readonly BackupRecord[], style: Style): string {
  if (shown.length === 0) return all.length === 0 ? 'There are no backups yet.' : 'No backup fits.';
  const nowMs = Date.now();
  const header = ['ID', 'TYPE', 'CREATED', 'AGE', 'SIZE', 'ENTRIES', ''].map((title) => style.dim(title));
  // Their age tells nearly as much.
  const isNarrow = (terminalWidth() ?? ROOMY) < ROOMY;
  const ids = new Set(all.map(({ id }) => id));
  const rows = drawChains(shown).map(({ record, rails }) => [
    `${style.dim(rails)}${style.bold(record.id)}`,
    typeOf(record),
    ...madeText(record, nowMs),
    byteCount(record.sizeBytes),
    record.sealed ? UNKNOWN : record.entryCount.toLocaleString('en-US'),
    remarks(record, ids, style),
  ]);
  const bytes = shown.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const table = [header, ...rows].map((row) => (isNarrow ? row.toSpliced(CREATED, 1) : row));
  return `${columns(fitted(table, -1))}\n${style.dim(`${counted(shown.length, 'backup')}, ${byteCount(bytes)}`)}`;
}

/** The width of a terminal from which on there is room for the time that a backup was made at, in this column. */
const ROOMY = 100;
const CREATED = 2;

/** What a damaged backup, or an encrypted one without its key, does not tell. */
const UNKNOWN = '?';

function typeOf(record: BackupRecord): string {
  if (creationOf(record) === undefined) return UNKNOWN;
  return record.isIncremental ? 'incremental' : 'full';
}

function madeText(record: BackupRecord, nowMs: number): [string, string] {
  const createdAtMs = creationOf(record);
  return createdAtMs === undefined ? [UNKNOWN, UNKNOWN] : [localTime(createdAtMs), span(nowMs - createdAtMs)];
}

/** What sets a backup apart, the alarming first. */
function remarks(record: BackupRecord, ids: ReadonlySet<string>, style: Style): string {
  const { damage, parentId, pinned, encrypted, tags, description } = record;
  return [
    damage !== undefined ? style.red(`DAMAGED: ${damage}`) : '',
    parentId !== undefined && !ids.has(parentId) ? style.red(`rests on ${parentId}, which is missing`) : '',
    pinned ? style.yellow('pinned') : '',
    encrypted ? 'encrypted' : '',
    ...tags.map((tag) => style.cyan(`#${tag}`)),
    description,
  ]
    .filter((remark) => remark !== '')
    .join('  ');
}

/** All that is known of one backup, with what each scope takes in it: for that the archive is read. */
export async function info(
  context: Context,
  [id = '']: string[],
  { scopes: withScopes }: { scopes: boolean },
): Promise<void> {
  await withHost(context, {}, async (host) => {
    const archives = await host.archives();
    const record = await archives.find(id);
    const isReadable = record.damage === undefined && !record.sealed;
    const scopes =
      withScopes && isReadable
        ? await withProgress(context, (watching) => archives.scopes(record.id, watching))
        : undefined;
    context.out.result(infoDocument(record, scopes), (style) =>
      [infoText(record, style), ...(scopes ? [scopesText(record, scopes, style)] : [])].join('\n\n'),
    );
  });
}

function infoText(record: BackupRecord, style: Style): string {
  const createdAtMs = creationOf(record);
  const { compression, tags } = record;
  const told = (value: string) => (record.sealed ? UNKNOWN : value);
  const [made, age] = madeText(record, Date.now());
  const packed = compression.type === 'none' ? 'none' : `${compression.type}, level ${compression.level}`;
  const rows: [string, string][] = [
    ['id', record.id],
    ['type', record.isIncremental ? `incremental, rests on ${record.parentId}` : typeOf(record)],
    ['created', createdAtMs === undefined ? made : `${made} (${age} ago)`],
    ['entries', told(record.entryCount.toLocaleString('en-US'))],
    [record.isIncremental ? 'changes' : 'records', told(record.recordCount.toLocaleString('en-US'))],
    ['size', record.sealed ? byteCount(record.sizeBytes) : sizeText(record)],
    ['compression', createdAtMs === undefined ? UNKNOWN : packed],
    ['encrypted', createdAtMs === undefined ? UNKNOWN : record.encrypted ? 'yes' : 'no'],
    ['pinned', record.pinned ? 'yes' : 'no'],
    ['tags', told(tags.length === 0 ? '-' : tags.join(', '))],
    ['description', told(record.description || '-')],
    ...(record.schemaVersion === undefined ? [] : [['schema', record.schemaVersion] as [string, string]]),
    ['sha256', record.sha256 || UNKNOWN],
  ];
  if (record.damage !== undefined) rows.push(['DAMAGED', style.red(record.damage)]);
  return columns(rows.map(([name, value]) => [style.dim(name), value]));
}

function sizeText({ sizeBytes, uncompressedBytes }: BackupRecord): string {
  return `${byteCount(sizeBytes)} of ${byteCount(uncompressedBytes)}${share(sizeBytes, uncompressedBytes)}`;
}

const share = (stored: number, raw: number): string => (raw === 0 ? '' : ` (${Math.round((100 * stored) / raw)} %)`);

function scopesText({ isIncremental }: BackupRecord, scopes: readonly ScopeUsage[], style: Style): string {
  const titles = ['SCOPE', isIncremental ? 'CHANGES' : 'ENTRIES', 'SIZE', 'STORED'];
  const rows = scopes.map(({ scope, records, rawBytes, storedBytes }) => [
    printable(scope),
    records.toLocaleString('en-US'),
    byteCount(rawBytes),
    `${byteCount(Math.round(storedBytes))}${share(storedBytes, rawBytes)}`,
  ]);
  return columns(fitted([titles.map((title) => style.dim(title)), ...rows], 0));
}

/** Reads every byte. Exit 4 where a backup is not sound. */
export async function validate(context: Context, [id]: string[], { all }: { all?: boolean }): Promise<number> {
  return withHost(context, {}, async (host) => {
    const archives = await host.archives();
    const results = await withProgress(context, async (watching) => {
      if (id === undefined || all) return archives.validateAll(watching);
      return [await archives.validate((await archives.find(id)).id, watching)];
    });
    const isValid = results.every((result) => result.isValid);
    const documents = results.map(validationDocument);
    const document = id === undefined || all ? { is_valid: isValid, results: documents } : documents[0];
    context.out.result(
      document,
      (style) => results.map((result) => validationText(result, style)).join('\n') || 'There are no backups yet.',
    );
    return isValid ? EXIT.done : EXIT.damaged;
  });
}

function validationText({ backupId, isValid, errors, warnings, durationMs }: ValidationResult, style: Style): string {
  const verdict = isValid ? style.green('sound') : style.red('NOT SOUND');
  const lines = [...errors.map((error) => style.red(error)), ...warnings];
  return [`${backupId}  ${verdict}  ${style.dim(duration(durationMs))}`, ...lines.map((line) => `  ${line}`)].join(
    '\n',
  );
}

/** What the second has that the first has not, has otherwise, and has no more; the present state where only one is named. */
export async function diff(context: Context, [a = '', b = 'current']: string[]): Promise<void> {
  const live = [a, b].includes('current');
  await withHost(context, { readOnly: true, persistent: live }, async (host) => {
    const backups = await (live ? host.backups() : host.archives());
    const difference = await backups.diff(a, b);
    const { added, changed, removed } = difference;
    const document = {
      added: added.map(nameDocument),
      changed: changed.map(nameDocument),
      removed: removed.map(nameDocument),
    };
    context.out.result(document, (style) => diffText(difference, style));
  });
}

function diffText({ added, changed, removed }: StateDiff, style: Style): string {
  const lines = (mark: string, names: StateDiff['added']) =>
    names.map(({ scope, key }) => `${mark} ${printable(scope)} ${printable(key)}`);
  const all = [
    ...lines('+', added).map(style.green),
    ...lines('~', changed).map(style.yellow),
    ...lines('-', removed).map(style.red),
  ];
  return all.length === 0 ? 'There is no difference.' : all.join('\n');
}
