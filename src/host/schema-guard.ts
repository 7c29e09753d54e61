import { LlmspellError } from '../errors.js';

/** What refuses to write to a state of a version that the schemas in `directory` do not reach: it throws `SCHEMA_NEWER`. */
export async function schemaGuard(directory: string): Promise<(version: string | undefined) => void> {
  const [{ knownVersions }, { compareVersions }] = await Promise.all([
    import('../migration/registry.js'),
    import('../util/version.js'),
  ]);
  // What is wrong with the directory is told by whoever reads the schemas.
  const latest = (await knownVersions(directory).catch(() => [])).at(-1);
  return (version) => {
    if (version === undefined || (latest !== undefined && compareVersions(version, latest) <= 0)) return;
    const known = latest === undefined ? 'and there are no schemas' : `and the schemas go up to ${latest}`;
    const message = `The state is of schema version ${version}, ${known}: it is not written to.`;
    throw new LlmspellError('SCHEMA_NEWER', message, { subject: version });
  };
}
