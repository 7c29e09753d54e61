import { toLlmspellError } from '../errors.js';
import { flushOutput, Output } from './output.js';

/** Tells what is wrong with a command line that could not be parsed, in the form that it asks for; the exit code. */
export async function reportFailure(given: unknown, argv: readonly string[]): Promise<number> {
  const error = toLlmspellError(given);
  const own = ownArguments(argv);
  const has = (...names: string[]) => own.some((arg) => names.includes(arg));
  const out = new Output({
    json: has('--json', '--output=json', '-ojson') || /(^| )(-o|--output) json( |$)/.test(own.join(' ')),
    quiet: true,
    verbose: has('--verbose', '-v'),
    color: !has('--no-color'),
    progress: false,
    env: process.env,
  });
  out.error(error);
  await flushOutput();
  return error.exitCode;
}

/** Without what belongs to a script. */
function ownArguments(argv: readonly string[]): readonly string[] {
  const script = argv.findIndex(
    (arg, i) => !arg.startsWith('-') && ['run', 'exec', 'repl'].includes(argv[i - 1] ?? ''),
  );
  return script < 0 ? argv : argv.slice(0, script);
}
