import { checkConfig } from '../config/check.js';
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { LlmspellError } from '../errors.js';
import { Host, type HostOptions } from './host.js';

export interface OpenOptions extends Omit<HostOptions, 'config'> {
  /** A configuration file. Without it and without `settings` it is looked for as the command looks for it. */
  configFile?: string;
  /** Instead of a file: what would stand in one, section by section. */
  settings?: Readonly<Record<string, unknown>>;
  /** What relative paths in `settings`, and the search for a file, start from. Default: the working directory. */
  directory?: string;
}

/**
 * Opens a host. Nothing of it is opened yet: state, backups and threads come when they are first used.
 * Throws `CONFIG_NOT_FOUND` and `CONFIG_INVALID`.
 */
export async function openHost(options: OpenOptions = {}): Promise<Host> {
  const { configFile, settings, directory = process.cwd(), env = process.env, ...rest } = options;
  const config = settings ? configOf(settings, directory, env) : await configFrom(configFile, directory, env);
  return new Host({ ...rest, env, config });
}

async function configFrom(path: string | undefined, cwd: string, env: NodeJS.ProcessEnv): Promise<Config> {
  return (await loadConfig({ ...(path !== undefined && { path }), cwd, env })).config;
}

/** Settings come from a program: a key that does not exist is a mistake in it, not something to note and go on. */
function configOf(settings: Readonly<Record<string, unknown>>, directory: string, env: NodeJS.ProcessEnv): Config {
  const surroundings = { env, fileDirectory: directory, defaultDirectory: directory };
  const { config, problems, unknown } = checkConfig(settings, surroundings);
  const problem = [...problems, ...unknown][0];
  if (problem) throw new LlmspellError('CONFIG_INVALID', `settings.${problem.path.join('.')}: ${problem.message}.`);
  return config;
}
