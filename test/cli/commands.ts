import type { Command } from 'commander';
import { createProgram } from '../../src/cli/program.js';
import { EXIT } from '../../src/errors.js';

export const program = createProgram({ signal: new AbortController().signal, exitCode: 0 });

/** The commands that do something, in the order of the help. */
export const leaves = (command: Command): Command[] =>
  command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);

export const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();

/** What each exit code means. */
export const EXIT_MEANINGS: readonly (readonly [code: number | string, meaning: string])[] = [
  [EXIT.done, 'done'],
  [EXIT.failed, 'the script or the operation failed'],
  [EXIT.usage, 'wrong use: arguments or configuration'],
  [EXIT.unavailable, 'the state is held by another process, or out of reach'],
  [EXIT.damaged, 'a backup is invalid or damaged'],
  [EXIT.timeout, 'a time limit ended the script'],
  [EXIT.interrupted, 'interrupted'],
  ['n', 'the script called `os.exit(n)`'],
];

/** All that the help of a command prints, 100 columns wide. */
export function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 100 });
  command.outputHelp();
  return text;
}

/** The example command lines in the help of a command. */
export const examplesOf = (command: Command): string[] =>
  (helpOf(command).match(/^ {2}\$ llmspell .+$/gm) ?? []).map((line) => line.slice(4));
