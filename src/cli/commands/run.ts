import type { Config } from '../../config/schema.js';
import { LlmspellError, toLlmspellError, toPlainError } from '../../errors.js';
import type { SessionOptions } from '../../host/console-service.js';
import { Host, type RunOptions } from '../../host/host.js';
import type { Overrides } from '../../host/machine-settings.js';
import type { ScriptResult } from '../../host/script-host.js';
import type { Capability } from '../arguments.js';
import { OutputCapture } from '../capture.js';
import { type Context, createContext, DEFAULT_OPTIONS, execute, readConfig } from '../context.js';
import { flushOutput } from '../output.js';

export interface LimitFlags {
  /** Seconds. */
  timeout?: number;
  maxInstructions?: number;
  /** Bytes. */
  memoryLimit?: number;
  allow?: readonly Capability[];
  deny?: readonly Capability[];
}

export interface RunFlags extends LimitFlags {
  readonly?: boolean;
  /** Unix seconds, an ISO-8601 time, or a backup. */
  from?: string | number;
}

export interface Script {
  path?: string;
  source?: Uint8Array | string;
  chunkName?: string;
  scriptName: string;
  args: string[];
  wordsBefore?: string[];
  session?: SessionOptions;
}

/** Runs a script file, or standard input where it is `-`. */
export async function run(context: Context, [file = '', ...args]: string[], flags: RunFlags): Promise<number> {
  const script = file === '-' ? { source: await standardInput(), chunkName: '=stdin' } : { path: file };
  return runScript(context, { ...script, scriptName: file, args, wordsBefore: wordsBefore(context, args) }, flags);
}

/** What stands before a script and its arguments, which are always last; the program by its name, wherever it is installed. */
export const wordsBefore = ({ argv }: Context, args: readonly string[]): string[] => [
  'llmspell',
  ...argv.slice(0, argv.length - args.length - 1),
];

/** As `run` with none of our options; resolves with the exit code, whatever happens. */
export async function runPlainly(file: string, args: string[], signal: AbortSignal): Promise<number> {
  const exitCode = await execute(run, createContext(DEFAULT_OPTIONS, signal), [file, ...args], {});
  await flushOutput();
  return exitCode;
}

/** Runs Lua code from the command line. */
export async function exec(context: Context, [source = '', ...args]: string[], flags: RunFlags): Promise<number> {
  return runScript(context, { source, chunkName: '=(command line)', scriptName: 'exec', args }, flags);
}

/** Runs a script as the options say, and tells how it ended. */
export async function runScript(context: Context, script: Script, flags: RunFlags): Promise<number> {
  const { config } = await readConfig(context);
  const host = await openHost(context, config, flags);
  // A program that asks for JSON gets what the script printed inside the one document.
  const capture = context.out.json ? new OutputCapture() : undefined;
  const { error, exitCode, durationMs } = await runAndClose(host, {
    ...script,
    signal: context.signal,
    overrides: overridesOf(flags),
    ...(flags.timeout !== undefined && { timeoutSeconds: flags.timeout }),
    ...(capture && { output: capture.sink }),
  });
  const document = { exit_code: exitCode, duration_ms: Math.round(durationMs), ...capture?.document() };
  if (error) context.out.failure(error, { ...document, traceback: error.traceback });
  else if (capture) context.out.result(document, () => '');
  return exitCode;
}

/** What fails while the host is closed is how a script ended that was well until then; where it was not, that is enough to tell. */
async function runAndClose(host: Host, options: RunOptions): Promise<ScriptResult> {
  let result: ScriptResult;
  try {
    result = await host.run(options);
  } catch (error) {
    await host.close().catch(() => undefined);
    throw error;
  }
  try {
    await host.close();
    return result;
  } catch (cause) {
    const error = toLlmspellError(cause);
    return result.error ? result : { ...result, exitCode: error.exitCode, error: toPlainError(error) };
  }
}

async function openHost(
  context: Context,
  config: Config,
  { readonly: readOnly = false, from }: RunFlags,
): Promise<Host> {
  const { lockTimeoutSeconds } = context.options;
  if (from === undefined) return new Host({ config, readOnly, lockTimeoutSeconds });
  if (config.runtime.state_persistence.backend_type === 'memory')
    throw new LlmspellError('STATE_MEMORY', 'The state is in memory only: it has no past to run on.');
  const { openPastHost } = await import('../../host/past-host.js');
  await using present = new Host({ config, readOnly: true, lockTimeoutSeconds });
  return await openPastHost(present, from);
}

/** What the command line says instead of the configuration. */
export function overridesOf({ allow = [], deny = [], memoryLimit, maxInstructions }: LimitFlags): Overrides {
  const of = (capability: Capability) =>
    deny.includes(capability) ? false : allow.includes(capability) ? true : undefined;
  const [allowFileAccess, allowProcessSpawn] = [of('file'), of('process')];
  return {
    ...(memoryLimit !== undefined && { memoryLimitBytes: memoryLimit }),
    ...(maxInstructions !== undefined && { maxInstructions }),
    ...(allowFileAccess !== undefined && { allowFileAccess }),
    ...(allowProcessSpawn !== undefined && { allowProcessSpawn }),
  };
}

async function standardInput(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}
