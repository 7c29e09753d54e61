import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

export interface Search {
  /** What `--config` names. */
  path?: string;
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
}

export interface Found {
  file: string;
  /** The directory that paths which are defaults are relative to: the project's for `llmspell.toml`, else the working one. */
  defaultDirectory: string;
}

export const PROJECT_FILE = 'llmspell.toml';

/** The configuration file, or undefined: `--config`, `LLMSPELL_CONFIG`, `llmspell.toml` here or above, the user's own. */
export async function findConfig({ path, cwd, env }: Search): Promise<Found | undefined> {
  const named = path ?? (env.LLMSPELL_CONFIG || undefined);
  if (named !== undefined) return { file: resolve(cwd, named), defaultDirectory: cwd };
  const project = findUpward(resolve(cwd));
  if (project) return { file: project, defaultDirectory: dirname(project) };
  const file = await userConfigFile(env);
  return existsSync(file) ? { file, defaultDirectory: cwd } : undefined;
}

/** `config.toml` in the user's configuration directory, as the platform has it. */
async function userConfigFile(env: Search['env']): Promise<string> {
  // Every start comes by here: the package that knows all platforms takes longer to load than everything else in this file.
  if (process.platform === 'linux')
    return join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'llmspell', 'config.toml');
  const { default: envPaths } = await import('env-paths');
  return join(envPaths('llmspell', { suffix: '' }).config, 'config.toml');
}

function findUpward(directory: string): string | undefined {
  const file = join(directory, PROJECT_FILE);
  if (existsSync(file)) return file;
  const parent = dirname(directory);
  return parent === directory ? undefined : findUpward(parent);
}
