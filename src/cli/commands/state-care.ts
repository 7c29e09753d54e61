import { resolve } from 'node:path';
import { EXIT } from '../../errors.js';
import { checkStoredState, repairStoredState, type StateRescue } from '../../host/state-care.js';
import type { StateCheck } from '../../state/check.js';
import { type Context, readConfig } from '../context.js';
import { checkDocument, repairDocument } from '../documents.js';
import { counted } from '../format.js';
import type { Style } from '../output.js';
import { assertPersistent } from '../with-host.js';

/** Reads the whole state. Exit 4 where it is not sound. */
export async function check(context: Context): Promise<number> {
  const { config } = await readConfig(context);
  assertPersistent(config);
  const result = await checkStoredState(config, waitOf(context));
  context.out.result(checkDocument(result), (style) => checkText(result, style));
  return result.isSound ? EXIT.done : EXIT.damaged;
}

function checkText({ isSound, entries, problemCount, problems }: StateCheck, style: Style): string {
  const read = `${counted(entries, 'entry', 'entries')} and the history read`;
  if (isSound) return `${style.green('sound')}  ${read}`;
  return [
    ...listed(problems, problemCount, style),
    `${style.red('NOT SOUND')}  ${counted(problemCount, 'problem')}; ${read}`,
    '`llmspell state repair` rescues what can be read; `llmspell backup restore` brings back what a backup has.',
  ].join('\n');
}

/** Rescues what can be read into a new state. Exit 4 where something could not be. */
export async function repair(
  context: Context,
  _: string[],
  { to, yes = false }: { to?: string; yes?: boolean },
): Promise<number> {
  const { config } = await readConfig(context);
  assertPersistent(config);
  const place = to === undefined ? {} : { to: resolve(context.cwd, to) };
  const result = await repairStoredState(config, { ...place, replace: yes, ...waitOf(context) });
  context.out.result(repairDocument(result), (style) => repairText(result, yes, style));
  return result.problems.length === 0 ? EXIT.done : EXIT.damaged;
}

function repairText({ rescued, lost, problems, path, damagedPath }: StateRescue, isReplaced: boolean, style: Style) {
  const lines = [
    ...listed(problems, Math.max(problems.length, lost), style),
    `Rescued ${counted(rescued, 'entry', 'entries')}${lost > 0 ? `, lost ${lost.toLocaleString('en-US')}` : ''}; history and rollback points are not carried over.`,
  ];
  if (isReplaced) lines.push(`It is the state now. The damaged one is kept in ${damagedPath}.`);
  else lines.push(`It is in ${path}; the damaged state was left as it is. With --yes it is put in its place.`);
  return lines.join('\n');
}

function listed(problems: readonly string[], count: number, style: Style): string[] {
  const lines = problems.map(style.red);
  return count > problems.length
    ? [...lines, `… and ${(count - problems.length).toLocaleString('en-US')} more`]
    : lines;
}

const waitOf = ({ options: { lockTimeoutSeconds }, signal }: Context) => ({
  lockTimeoutSeconds,
  isWanted: () => !signal.aborted,
});
