import { toLlmspellError } from '../errors.js';
import { startWorkerAhead } from '../host/worker-thread.js';
import { stopOnSignals } from './signals.js';

/** The exit code of one command line. Modules are loaded when they are needed: the start of a script waits for all of them. */
async function main(argv: readonly string[]): Promise<number> {
  if (['run', 'exec', 'repl'].some((name) => argv.includes(name))) startWorkerAhead();
  const stop = stopOnSignals((exitCode) => process.exit(exitCode));
  try {
    return await Promise.race([dispatch(argv, stop.signal), stop.overdue]);
  } catch (error) {
    const { reportFailure } = await import('./failure.js');
    return reportFailure(stop.signal.aborted ? stop.signal.reason : error, argv);
  }
}

/** The commonest command line, a script without options of ours, needs no parser. */
async function dispatch(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const [command, file, ...args] = argv;
  if (command === 'run' && file !== undefined && !file.startsWith('-')) {
    const { runPlainly } = await import('./commands/run.js');
    return runPlainly(file, args, signal);
  }
  if (command === '__complete') {
    const { complete } = await import('./completion/complete.js');
    return complete(argv.slice(1));
  }
  const { runCommandLine } = await import('./command-line.js');
  return runCommandLine(argv, signal);
}

void main(process.argv.slice(2))
  .catch((error: unknown) => toLlmspellError(error).exitCode)
  .then((exitCode) => process.exit(exitCode));
