import { resolve } from 'node:path';
import type { BackupManager } from '../../backup/manager.js';
import type { EntryName, LostRange, OperationOptions } from '../../backup/types.js';
import { EXIT, LlmspellError } from '../../errors.js';
import { exportEntries } from '../../host/state-transfer.js';
import { buildState } from '../../recovery/new-state.js';
import { type RescuedArchive, type RescueResult, rescue as rescueBackup } from '../../recovery/rescue.js';
import { openScratch } from '../../recovery/scratch.js';
import type { StateStore } from '../../state/types.js';
import { printable } from '../../util/bytes.js';
import { outputFile } from '../../util/output-file.js';
import type { Context } from '../context.js';
import { rescueDocument } from '../documents.js';
import { byteCount, counted } from '../format.js';
import type { Style } from '../output.js';
import { withProgress } from '../progress.js';
import { withHost } from '../with-host.js';

interface Rescue {
  archives: BackupManager;
  id: string;
  watching: OperationOptions;
}

type Entry = EntryName & { sizeBytes: number };
interface Rescued {
  result: RescueResult;
  entries: Entry[];
}

/** Tells what is still readable of a backup, and with `--into` saves it. Exit 4 where something is not. */
export async function rescue(context: Context, [id = '']: string[], { into }: { into?: string }): Promise<number> {
  return withHost(context, {}, async (host) => {
    const archives = await host.archives();
    const path = into === undefined ? undefined : resolve(context.cwd, into);
    const { result, entries } = await withProgress(context, (watching) => save({ archives, id, watching }, path));
    for (const warning of result.warnings) context.out.notice(warning);
    context.out.result(rescueDocument(result, entries, path), (style) => rescueText(result, entries, into, style));
    return result.isComplete ? EXIT.done : EXIT.damaged;
  });
}

async function save(work: Rescue, path: string | undefined): Promise<Rescued> {
  if (path !== undefined && !/\.jsonl$/i.test(path))
    return await buildState(path, async (store) => {
      const rescued = await read(work, store);
      refuseNothing(rescued);
      return rescued;
    });
  const { store, close } = await openScratch();
  try {
    const rescued = await read(work, store);
    if (path === undefined) return rescued;
    refuseNothing(rescued);
    await intoFile(path, store);
    return rescued;
  } finally {
    await close();
  }
}

async function read({ archives, id, watching }: Rescue, into: StateStore): Promise<Rescued> {
  const entries: Entry[] = [];
  const onEntry = ({ scope, key, sizeBytes }: Entry) =>
    entries.push({ scope: Buffer.from(scope), key: Buffer.from(key), sizeBytes });
  const result = await rescueBackup(archives, id, { into, onEntry, ...watching });
  return { result, entries };
}

/** An empty state would be taken for what was in the backup. */
function refuseNothing({ result }: Rescued): void {
  const { backupId, entryCount, archives, isComplete } = result;
  if (entryCount > 0 || isComplete) return;
  const problems = archives.flatMap((archive) => archive.problems);
  throw new LlmspellError('BACKUP_DAMAGED', `Nothing of backup ${backupId} can be read: ${problems.join(' ')}`, {
    subject: backupId,
  });
}

async function intoFile(path: string, store: StateStore): Promise<void> {
  await outputFile(path, { replace: false }, async (file) => {
    for await (const entry of exportEntries(store)) await file.writeFile(`${JSON.stringify(entry)}\n`);
  });
}

function rescueText(result: RescueResult, entries: readonly Entry[], into: string | undefined, style: Style): string {
  // What is saved is there to be looked at.
  const shown = into === undefined ? entries : [];
  const lines = shown.map(
    ({ scope, key, sizeBytes }) => `${printable(scope)} ${printable(key)}  ${byteCount(sizeBytes)}`,
  );
  const verdict = result.isComplete ? style.green('nothing is damaged') : style.red('DAMAGED');
  const saved = into === undefined ? '' : `, saved in ${into}`;
  return [
    ...lines,
    ...(lines.length === 0 ? [] : ['']),
    ...result.archives.flatMap((archive) => archiveLines(archive, style)),
    `${result.backupId}  ${verdict}, ${counted(result.entryCount, 'entry', 'entries')} rescued${saved}`,
  ].join('\n');
}

function archiveLines(
  { id, isIncremental, recordCount, rescuedCount, lost, problems }: RescuedArchive,
  style: Style,
): string[] {
  const [one, many] = isIncremental ? ['change', 'changes'] : ['entry', 'entries'];
  const of = recordCount === undefined ? '' : ` of ${recordCount.toLocaleString('en-US')}`;
  const lostLines = lost?.map((range) => `  lost: ${lostText(range, one, many)}`) ?? ['  lost: what, cannot be told'];
  return [
    `${id}  ${isIncremental ? 'incremental' : 'full'}, ${rescuedCount.toLocaleString('en-US')}${of} ${many} read`,
    ...problems.map((problem) => `  ${style.red(problem)}`),
    ...lostLines,
  ];
}

function lostText({ records, from, to }: LostRange, one: string, many: string): string {
  const name = ({ scope, key }: EntryName) => `${printable(scope)} ${printable(key)}`;
  const begin = from ? ` from ${name(from)} on` : '';
  const end = to ? `, before ${name(to)}` : '';
  return `${counted(records, one, many)}${begin}${end}`;
}
