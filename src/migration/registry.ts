import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { errnoOf, LlmspellError } from '../errors.js';
import { compareVersions, isVersion } from '../util/version.js';
import { readSchema } from './schema-file.js';
import type { Schema } from './types.js';

/** The schemas of a directory, lowest version first. */
export interface Registry {
  directory: string;
  schemas: readonly Schema[];
}

/**
 * The versions that the names of the files tell, lowest first, without reading them; none where there is no such directory. Throws `SCHEMA_INVALID`
 * for a `.toml` file whose name is no version.
 */
export async function knownVersions(directory: string): Promise<string[]> {
  const names = await filesOf(directory);
  const versions = names.filter((name) => name.endsWith('.toml')).map((name) => name.slice(0, -'.toml'.length));
  const wrong = versions.find((version) => !isVersion(version));
  if (wrong !== undefined)
    throw new LlmspellError('SCHEMA_INVALID', `${basename(directory)}/${wrong}.toml is not named by a version.`, {
      subject: `${wrong}.toml`,
      hint: 'Name schemas MAJOR.MINOR.PATCH.toml, as 1.2.0.toml; there are no pre-releases.',
    });
  return versions.sort(compareVersions);
}

async function filesOf(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw new LlmspellError('SCHEMA_INVALID', `The schemas in ${directory} cannot be read (${errnoOf(error)}).`, {
      subject: directory,
      cause: error,
      hint: 'Check `runtime.state_persistence.schema_dir`.',
    });
  }
}

/** What is in a directory: the schemas, and every problem of every file. */
export async function inspectSchemas(directory: string): Promise<{ registry: Registry; problems: string[] }> {
  const versions = await knownVersions(directory);
  const read = await Promise.all(versions.map((version, i) => readSchema(directory, version, versions[i - 1])));
  const schemas = read.flatMap((one) => ('schema' in one ? [one.schema] : []));
  const problems = read.flatMap((one) => ('problems' in one ? one.problems : []));
  const unknown = schemas.filter(({ from }) => from !== undefined && !versions.includes(from));
  const strays = unknown.map(
    ({ version, from }) => `${basename(directory)}/${version}.toml: from: there is no schema ${from}`,
  );
  return { registry: { directory, schemas }, problems: [...problems, ...strays] };
}

/** Throws `SCHEMA_INVALID` with the first problem. */
export async function loadRegistry(directory: string): Promise<Registry> {
  const { registry, problems } = await inspectSchemas(directory);
  const [first] = problems;
  if (first === undefined) return registry;
  throw new LlmspellError('SCHEMA_INVALID', `${first.replace(/\.$/, '')}.`, {
    subject: directory,
    ...(problems.length > 1 && {
      hint: `There are ${problems.length} problems; \`llmspell migrate validate\` lists them all.`,
    }),
  });
}
