import { CommanderError } from 'commander';
import { VersionAsked } from './globals.js';
import { flushOutput, printHelp } from './output.js';
import { createProgram } from './program.js';
import { version } from './version.js';

/** Parses and runs a command line; resolves with the exit code. Throws what is wrong with it and what failed. */
export async function runCommandLine(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const invocation = { signal, exitCode: 0 };
  try {
    await createProgram(invocation).parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof VersionAsked) printHelp(`${version()}\n`);
    else if (!(error instanceof CommanderError && error.exitCode === 0)) throw error;
  }
  await flushOutput();
  return invocation.exitCode;
}
