import { type Command, Option } from 'commander';
import { seconds } from './arguments.js';
import { DEFAULT_OPTIONS, type GlobalOptions } from './context.js';

/** Thrown while parsing: the version was asked for, nothing else is to be done. */
export class VersionAsked extends Error {}

const options = () => [
  new Option('-c, --config <file>', 'configuration file'),
  new Option('-o, --output <form>', 'how results are printed').choices(['text', 'json']),
  new Option('--json', 'the same as --output json'),
  new Option('-q, --quiet', 'no notices and no progress'),
  new Option('-v, --verbose', 'more about what happens, and the stack of an error'),
  new Option('--no-color', 'no colour'),
  new Option('--no-progress', 'no progress bars'),
  new Option('--strict', 'unknown configuration keys are errors'),
  new Option(
    '--lock-timeout <seconds>',
    'how long to wait for a process that holds the state and does not share it (default: 5)',
  ).argParser(seconds),
  new Option('-V, --version', 'print the version'),
];

/** Adds them; `hidden` where the help shows them as the program's. */
export function addGlobalOptions(command: Command, { hidden }: { hidden: boolean }): void {
  for (const option of options()) command.addOption(hidden ? option.hideHelp() : option);
  command.on('option:version', () => {
    throw new VersionAsked();
  });
}

/** What was given on a command or on those above it; the nearer one counts. */
export function globalOptions(command: Command): GlobalOptions {
  const given = givenOptions(command);
  return {
    ...(given.config !== undefined && { config: given.config as string }),
    json: given.output === 'json',
    quiet: given.quiet === true,
    verbose: given.verbose === true,
    color: given.color !== false,
    progress: given.progress !== false,
    strict: given.strict === true,
    lockTimeoutSeconds: (given.lockTimeout as number | undefined) ?? DEFAULT_OPTIONS.lockTimeoutSeconds,
  };
}

function givenOptions(command: Command): Record<string, unknown> {
  const given = Object.entries(command.opts()).filter(([name]) => command.getOptionValueSource(name) !== 'default');
  const own = Object.fromEntries(given);
  if (own.json === true) own.output ??= 'json';
  return { ...(command.parent ? givenOptions(command.parent) : {}), ...own };
}
