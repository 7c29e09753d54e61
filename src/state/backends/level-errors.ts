import { type ErrorCode, errnoOf, LlmspellError } from '../../errors.js';
import { isRunning } from '../../util/process-identity.js';
import { readHolder } from './level-holder.js';

/** What LevelDB says when there is no room: its messages carry the system's text, not the errno. */
const NO_SPACE = /No space left on device|Disk quota exceeded|File too large/;
const FULL_HINT =
  'Free some disk space and open the state again (run again); nothing that was reported as stored is lost.';
const MISSING_FILE = /(\.(ldb|sst)|MANIFEST-\d+): No such file/;
const LEVEL_FILE = /\/(\d+\.(?:ldb|sst|log|dbtmp)|MANIFEST-\d+|CURRENT)/;

/** An error of LevelDB or of the file system as one of ours, naming the file or the directory it is about. */
export function levelError(error: unknown, directory: string): LlmspellError {
  if (error instanceof LlmspellError) return error;
  const reason = innermost(error);
  const file = LEVEL_FILE.exec(reason.message)?.[1];
  const place = file === undefined ? directory : `${directory}/db/${file}`;
  const [code, what] = classify(reason);
  return new LlmspellError(code, `${what}: ${place}${code === 'STATE_UNAVAILABLE' ? ` (${reason.message})` : ''}.`, {
    subject: place,
    ...(code === 'STATE_FULL' ? { hint: FULL_HINT } : {}),
    cause: error,
  });
}

function classify(reason: Error): readonly [ErrorCode, string] {
  const code = errnoOf(reason);
  if (code === 'ENOSPC' || code === 'EDQUOT' || NO_SPACE.test(reason.message))
    return ['STATE_FULL', 'The disk is full'];
  if (code === 'LEVEL_CORRUPTION' || MISSING_FILE.test(reason.message))
    return ['STATE_DAMAGED', 'The stored state is damaged'];
  if (code?.includes('NOT_OPEN')) return ['STATE_CLOSED', 'The state is closed'];
  return ['STATE_UNAVAILABLE', 'The state cannot be read or written'];
}

/** The error for a state that another process has open. */
export async function lockedError(directory: string, cause?: unknown): Promise<LlmspellError> {
  const holder = await readHolder(directory);
  const who = holder !== undefined && isRunning(holder) ? `process ${holder.pid}` : 'another process';
  return new LlmspellError('STATE_LOCKED', `The state in ${directory} is in use by ${who}.`, {
    subject: directory,
    ...(holder === undefined ? {} : { hint: `Wait for process ${holder.pid} to end, or stop it.` }),
    cause,
  });
}

export const isLocked = (error: unknown): boolean => errnoOf(innermost(error)) === 'LEVEL_LOCKED';

function innermost(error: unknown): Error {
  let at = error;
  while (at instanceof Error && at.cause instanceof Error) at = at.cause;
  return at instanceof Error ? at : new Error(String(at));
}
