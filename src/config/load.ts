import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, relative } from 'node:path';
import { errnoOf, LlmspellError } from '../errors.js';
import { textOf } from '../util/bytes.js';
import { type Checked, checkConfig, type Problem } from './check.js';
import { findConfig, type Search } from './find.js';
import { type Origin, originsOf } from './origins.js';
import type { KeyPositions } from './positions.js';
import { positionsOf, tellProblems, tellSyntax } from './problems.js';
import type { Config } from './schema.js';

export interface LoadOptions extends Search {
  /** Unknown keys are problems, not notices. Default false. */
  strict?: boolean;
}

/** A configuration with all that is to be said about it; `config` holds defaults in place of the wrong values. */
export interface Inspection {
  config: Config;
  /** Absolute; absent where there is none and the built-in defaults stand. */
  file?: string;
  /** `FILE:LINE:COLUMN: key.path: what is wrong`, in the order of the file; empty where the configuration is sound. */
  problems: string[];
  /** The same form: unknown keys, and names that mean something else here. */
  notices: string[];
  /** Sections and keys of the original system that have no effect, as dotted paths. */
  foreign: string[];
  /** By dotted path, for every key. Reads the file's positions when asked. */
  origins(): Promise<Map<string, Origin>>;
}

export type LoadedConfig = Omit<Inspection, 'problems'>;

/**
 * Finds, reads and checks the configuration. Throws `CONFIG_NOT_FOUND` where the named file cannot be read and `CONFIG_INVALID`
 * with the first problem where there are any.
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const { problems, ...loaded } = await inspectConfig(options);
  if (problems.length === 0) return loaded;
  const hint =
    problems.length === 1
      ? undefined
      : `There are ${problems.length} problems; \`llmspell config check\` lists them all.`;
  throw new LlmspellError('CONFIG_INVALID', problems[0]!, {
    ...(loaded.file !== undefined && { subject: loaded.file }),
    ...(hint !== undefined && { hint }),
  });
}

/** As {@link loadConfig}, but every problem is told and none is thrown. */
export async function inspectConfig(options: LoadOptions): Promise<Inspection> {
  const found = await findConfig(options);
  if (!found) return withoutFile(options);
  const { file } = found;
  const toml = readToml(file, options.cwd);
  const shownFile = displayPath(file, options.cwd);
  const { parse, TomlError } = await import('smol-toml');
  let table: Record<string, unknown>;
  try {
    table = parse(toml);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { ...withoutFile(options), file, problems: [tellSyntax(error, shownFile)] };
  }
  const checked = checkConfig(table, { env: options.env, fileDirectory: dirname(file), ...found });
  return {
    config: checked.config,
    file,
    foreign: checked.foreign,
    ...(await report(checked, toml, shownFile, options)),
  };
}

function withoutFile({ env, cwd }: LoadOptions): Inspection {
  const { config } = checkConfig({}, { env, fileDirectory: cwd, defaultDirectory: cwd });
  return { config, problems: [], notices: [], foreign: [], origins: async () => originsOf(config, undefined) };
}

/** Positions are looked up only where there is something to say: they cost more than everything else here. */
async function report(checked: Checked, toml: string, shownFile: string, { strict = false }: LoadOptions) {
  const problems = [...checked.problems, ...(strict ? checked.unknown : [])];
  const notices = [...(strict ? [] : checked.unknown), ...checked.notices];
  const positions = problems.length + notices.length > 0 ? await positionsOf(toml) : new Map<string, KeyPositions>();
  const tell = (list: Problem[]) => tellProblems(list, positions, shownFile);
  return {
    problems: tell(problems),
    notices: tell(notices),
    origins: async () =>
      originsOf(checked.config, { file: shownFile, variables: checked.variables, positions: await positionsOf(toml) }),
  };
}

function readToml(file: string, cwd: string): string {
  const shown = displayPath(file, cwd);
  const text = textOf(readBytes(file, shown));
  if (text === undefined) throw new LlmspellError('CONFIG_INVALID', `${shown} is not UTF-8 text.`, { subject: file });
  return text.replace(/^\uFEFF/, '');
}

function readBytes(file: string, shown: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    const reason = errnoOf(error) === 'ENOENT' ? 'does not exist.' : `cannot be read (${errnoOf(error)}).`;
    throw new LlmspellError('CONFIG_NOT_FOUND', `The configuration file ${shown} ${reason}`, {
      subject: file,
      cause: error,
    });
  }
}

/** Relative where that is shorter to read: below the working directory. */
export function displayPath(file: string, cwd: string): string {
  const shown = relative(cwd, file);
  return shown === '' || shown.startsWith('..') || isAbsolute(shown) ? file : shown;
}
