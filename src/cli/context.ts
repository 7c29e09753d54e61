import type { LoadedConfig } from '../config/load.js';
import { toLlmspellError } from '../errors.js';
import { Output } from './output.js';

/** What every command takes, before and after its name. */
export interface GlobalOptions {
  config?: string;
  json: boolean;
  quiet: boolean;
  verbose: boolean;
  color: boolean;
  progress: boolean;
  strict: boolean;
  lockTimeoutSeconds: number;
}

export const DEFAULT_OPTIONS: GlobalOptions = {
  json: false,
  quiet: false,
  verbose: false,
  color: true,
  progress: true,
  strict: false,
  lockTimeoutSeconds: 5,
};

/** What a command is given besides its own arguments and options. */
export interface Context {
  options: GlobalOptions;
  cwd: string;
  /** The command line, without the program's own name. */
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C and SIGTERM. */
  signal: AbortSignal;
  out: Output;
}

export function createContext(options: GlobalOptions, signal: AbortSignal): Context {
  const env = process.env;
  return {
    options,
    cwd: process.cwd(),
    argv: process.argv.slice(2),
    env,
    signal,
    out: new Output({ ...options, env }),
  };
}

/** The configuration, with its notices told. */
export async function readConfig({ options, cwd, env, out }: Context): Promise<LoadedConfig> {
  const { loadConfig } = await import('../config/load.js');
  const { config: path, strict } = options;
  const loaded = await loadConfig({ ...(path !== undefined && { path }), strict, cwd, env });
  for (const notice of loaded.notices) out.notice(notice);
  if (loaded.foreign.length > 0) out.detail(`${loaded.file}: without effect here: ${loaded.foreign.join(', ')}`);
  return loaded;
}

/** Does what a command is for; resolves with the exit code, 0 where it says nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: most commands have nothing to return
export type Handler = (context: Context, args: string[], options: never) => Promise<number | void>;

/** Runs a command to its end; what fails is told here, where the form that was asked for is known. */
export async function execute(handler: Handler, context: Context, args: string[], options: object): Promise<number> {
  try {
    return (await handler(context, args, options as never)) ?? 0;
  } catch (error) {
    const reason = toLlmspellError(context.signal.aborted ? context.signal.reason : error);
    context.out.error(reason);
    return reason.exitCode;
  }
}
