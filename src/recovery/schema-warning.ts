import { LlmspellError } from '../errors.js';
import { compareVersions } from '../util/version.js';

/**
 * What is to be said of a restore where the schema versions differ; none where they do not.
 *
 * @param before the state's, where it was not yet restored
 * @param restored of what it is taken back to
 * @param isWhole whether all of it is restored, and its version with it
 * @param assertSchema throws where a state of a version is not written to
 */
export function schemaWarnings(
  before: string | undefined,
  restored: string | undefined,
  isWhole: boolean,
  assertSchema?: (version: string | undefined) => void,
): string[] {
  if (before === restored) return [];
  const was = before === undefined ? 'of none' : `of ${before}`;
  const what = restored === undefined ? 'of no schema version' : `of schema version ${restored}`;
  if (!isWhole)
    return [`What is restored is ${what}, and the state ${was}: it is not migrated, so look at it before you go on.`];
  const isOlder = before !== undefined && (restored === undefined || compareVersions(restored, before) < 0);
  const next = isOlder ? `; \`llmspell migrate run ${before}\`, or restoring with --migrate, takes it there again` : '';
  return [`The restored state is ${what} (the present one was ${was})${next}.`, ...refusal(restored, assertSchema)];
}

function refusal(version: string | undefined, assertSchema?: (version: string | undefined) => void): string[] {
  try {
    assertSchema?.(version);
    return [];
  } catch (error) {
    if (error instanceof LlmspellError) return [error.message];
    throw error;
  }
}
