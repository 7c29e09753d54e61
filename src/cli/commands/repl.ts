import { LlmspellError } from '../../errors.js';
import type { Context } from '../context.js';
import { version } from '../version.js';
import { type RunFlags, runScript, wordsBefore } from './run.js';

interface ReplFlags extends RunFlags {
  history: boolean;
}

/** Runs a script where one is named, then lines: typed on a terminal, or read from standard input. */
export async function repl(context: Context, [file, ...args]: string[], flags: ReplFlags): Promise<number> {
  const script =
    file === undefined
      ? { source: '', scriptName: 'llmspell' }
      : { path: file, scriptName: file, wordsBefore: wordsBefore(context, args) };
  return runScript(context, { ...script, args, session: await session(context, flags.history) }, flags);
}

async function session(context: Context, keepsHistory: boolean) {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return {};
  if (context.out.json)
    throw new LlmspellError('USAGE', 'A session on a terminal prints no JSON document.', {
      hint: 'Run code with `llmspell exec --json`, or send the lines through a pipe.',
    });
  const [{ Terminal }, { LineHistory }] = await Promise.all([import('../terminal.js'), import('../line-history.js')]);
  context.out.greeting(`llmspell ${version()}, Lua 5.4. Ctrl-C ends a line that runs, Ctrl-D leaves.`);
  return { terminal: new Terminal(keepsHistory ? await LineHistory.open() : LineHistory.none()) };
}
