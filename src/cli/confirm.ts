import { createInterface } from 'node:readline/promises';
import { LlmspellError } from '../errors.js';
import type { Context } from './context.js';

/**
 * Asks before something that cannot be taken back easily. Without a terminal to ask on, only `--yes` goes on: a command in a
 * script never waits for an answer and never guesses one.
 */
export async function confirm({ signal }: Context, question: string, yes: boolean | undefined): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new LlmspellError('USAGE', `${question} There is no terminal to answer on.`, {
      hint: 'Confirm it with --yes.',
    });
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal });
    if (!/^y(es)?$/i.test(answer.trim())) throw new LlmspellError('DECLINED', 'Nothing was done.');
  } finally {
    terminal.close();
  }
}
