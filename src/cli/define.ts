import type { Command, CommanderError } from 'commander';
import { LlmspellError } from '../errors.js';
import { nearest } from '../util/nearest.js';
import { createContext, execute, type Handler } from './context.js';
import { addGlobalOptions, globalOptions } from './globals.js';

/** One run of the command line: what came of it, and what stops it. */
export interface Invocation {
  signal: AbortSignal;
  exitCode: number;
}

interface Definition {
  /** Name and arguments, as `get <scope> <key>`. */
  usage: string;
  summary: string;
  /** Whole command lines, shown in the help. */
  examples: string[];
}

/** A command below `parent` with the global options, whose mistakes are told as our errors. */
export function define(parent: Command, { usage, summary, examples }: Definition): Command {
  const command = parent.command(usage).description(summary).helpCommand(false).showHelpAfterError(false);
  addGlobalOptions(command, { hidden: true });
  command.exitOverride((error) => {
    throw usageError(error, command);
  });
  if (examples.length > 0)
    command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ ${line}`).join('\n')}`);
  return command;
}

/** Lets a command do something; its module is loaded only when it runs. */
export function act(command: Command, invocation: Invocation, load: () => Promise<Handler>): void {
  command.action(async () => {
    const context = createContext(globalOptions(command), invocation.signal);
    const args = command.processedArgs.flat().filter((arg) => arg !== undefined);
    invocation.exitCode = await execute(await load(), context, args, command.opts());
  });
}

/** Help is passed on; everything else is wrong use, in one sentence. */
export function usageError(error: CommanderError, command: Command): Error {
  if (error.exitCode === 0) return error;
  const path = pathOf(command);
  if (error.code === 'commander.help')
    return new LlmspellError('USAGE', `\`${path}\` needs a command.`, { hint: command.helpInformation().trimEnd() });
  const hint = `Run \`${path} --help\` to see how it is used.`;
  return new LlmspellError('USAGE', `${sentenceOf(error)}${suggestion(error, command) ?? '.'}`, { hint });
}

/** The parser's sentence without its preamble, its own suggestion and its full stop. */
function sentenceOf({ message }: CommanderError): string {
  const sentence = message
    .replace(/^error: /, '')
    .replace(/\n\(Did you mean.*\)$/, '')
    .replace(/\.$/, '');
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

/** The nearest right name. (The parser's own suggestion does not know the options that the help leaves out.) */
function suggestion({ code, message }: CommanderError, command: Command): string | undefined {
  const given = /'([^'=]+)/.exec(message)?.[1] ?? '';
  const names =
    code === 'commander.unknownOption'
      ? command.options.flatMap(({ long }) => long ?? [])
      : code === 'commander.unknownCommand'
        ? command.commands.map((inner) => inner.name())
        : [];
  const meant = nearest(given, names);
  return meant === undefined ? undefined : `; did you mean '${meant}'?`;
}

const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
