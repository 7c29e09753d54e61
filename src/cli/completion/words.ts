import type { Argument, Command, Option } from 'commander';

/** One thing that may stand where the cursor is. */
export interface Candidate {
  value: string;
  description?: string;
}

/** What may stand where the cursor is: these words, files, or what only the state or the backups know. */
export type Completion = { kind: 'words'; candidates: Candidate[] } | { kind: 'files' } | LiveCompletion;

export type LiveCompletion =
  | { kind: 'backups'; prefix: string }
  | { kind: 'tags'; prefix: string }
  | { kind: 'scopes'; prefix: string }
  | { kind: 'keys'; prefix: string; scope: string };

/** What was typed before the cursor, taken apart as the parser would. */
interface Typed {
  command: Command;
  args: string[];
  options: Map<string, string>;
  /** The option whose value comes next. */
  awaiting?: Option;
  /** The rest belongs to a script. */
  passedOn: boolean;
}

const NONE: Completion = { kind: 'words', candidates: [] };
const FILE_ARGUMENTS = new Set(['file', 'files', 'dir']);
const BACKUP_ARGUMENTS = new Set(['id', 'a', 'b']);
const FILE_OPTIONS = new Set(['--config', '--html', '--into']);
const DEFAULT_SCOPE = 'global';

/** What fits the last of `words`, which follow the name of the program. */
export function completionOf(program: Command, words: readonly string[]): Completion {
  const current = words.at(-1) ?? '';
  const typed = readTyped(program, words.slice(0, -1));
  if (typed.passedOn) return { kind: 'files' };
  if (typed.awaiting) return valuesOf(typed.awaiting, current);
  const [, name, value] = /^(--[^=]+)=(.*)$/s.exec(current) ?? [];
  if (name !== undefined && value !== undefined) return valuesOfAssigned(optionNamed(typed.command, name), name, value);
  if (current.startsWith('-')) return matching(current, optionsOf(typed.command).map(candidateOfOption));
  if (typed.command.commands.length > 0 && typed.args.length === 0)
    return matching(
      current,
      visible(typed.command).map((inner) => ({ value: inner.name(), description: inner.description() })),
    );
  return valuesOfArgument(typed, current);
}

/** The value of an option that was typed on the way, as `--config`. */
export const typedOption = (program: Command, words: readonly string[], name: string): string | undefined =>
  readTyped(program, words.slice(0, -1)).options.get(name);

function readTyped(program: Command, words: readonly string[]): Typed {
  const typed: Typed = { command: program, args: [], options: new Map(), passedOn: false };
  for (const word of words) readWord(typed, word);
  return typed;
}

function readWord(typed: Typed, word: string): void {
  const { awaiting, command, args } = typed;
  if (typed.passedOn) return;
  if (awaiting) {
    typed.options.set(awaiting.long ?? '', word);
    delete typed.awaiting;
  } else if (word.startsWith('-') && word !== '-') {
    readOption(typed, word);
  } else {
    const inner = args.length === 0 ? command.commands.find((known) => known.name() === word) : undefined;
    if (inner) typed.command = inner;
    else args.push(word);
    typed.passedOn = args.length > 0 && command.registeredArguments.some(({ variadic }) => variadic);
  }
}

function readOption(typed: Typed, word: string): void {
  const [name = '', value] = word.split('=', 2);
  const option = optionNamed(typed.command, name);
  if (!option?.required) return;
  if (value === undefined) typed.awaiting = option;
  else typed.options.set(option.long ?? '', value);
}

function optionNamed(command: Command, name: string): Option | undefined {
  return optionsOf(command).find(({ long, short }) => long === name || short === name);
}

/** A command's own options and those that are taken everywhere: they are declared on each, and only the help does not repeat them. */
const optionsOf = (command: Command): readonly Option[] => command.options;

const visible = (command: Command): Command[] => command.createHelp().visibleCommands(command);

const candidateOfOption = ({ long, short, description }: Option): Candidate => ({
  value: long ?? short ?? '',
  description,
});

function valuesOf({ long, argChoices }: Option, prefix: string): Completion {
  if (argChoices) return matching(prefix, wordsOf(argChoices));
  if (long !== undefined && FILE_OPTIONS.has(long)) return { kind: 'files' };
  if (long === '--scope') return { kind: 'scopes', prefix };
  if (long === '--tag') return { kind: 'tags', prefix };
  if (long === '--from') return { kind: 'backups', prefix };
  if (long === '--allow' || long === '--deny') return matching(prefix, wordsOf(['file', 'process']));
  return NONE;
}

/** As `valuesOf`, for `--name=value` in one word; files are left to the shell. */
function valuesOfAssigned(option: Option | undefined, name: string, prefix: string): Completion {
  const values = option?.required ? valuesOf(option, prefix) : NONE;
  if (values.kind !== 'words') return values;
  return { kind: 'words', candidates: values.candidates.map(({ value }) => ({ value: `${name}=${value}` })) };
}

function valuesOfArgument({ command, args, options }: Typed, prefix: string): Completion {
  const argument: Argument | undefined = command.registeredArguments[args.length];
  if (!argument) return NONE;
  const name = argument.name();
  if (argument.argChoices) return matching(prefix, wordsOf(argument.argChoices));
  if (BACKUP_ARGUMENTS.has(name)) return { kind: 'backups', prefix };
  if (FILE_ARGUMENTS.has(name)) return { kind: 'files' };
  if (name === 'scope') return { kind: 'scopes', prefix };
  if (name === 'key') return { kind: 'keys', prefix, scope: args[0] ?? options.get('--scope') ?? DEFAULT_SCOPE };
  return NONE;
}

const wordsOf = (values: readonly string[]): Candidate[] => values.map((value) => ({ value }));

export const matching = (prefix: string, candidates: readonly Candidate[]): Completion => ({
  kind: 'words',
  candidates: candidates.filter(({ value }) => value.startsWith(prefix)),
});
