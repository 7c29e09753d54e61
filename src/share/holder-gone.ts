import { LlmspellError } from '../errors.js';

/** The connection ended before the answer came: ask again, whoever holds the state then. */
export class HolderGone extends Error {}

/** The error for what rested on the memory of a holder that is gone. */
export const holderEnded = (cause?: unknown): LlmspellError =>
  new LlmspellError('STATE_UNAVAILABLE', 'The process that held the state ended while this was under way.', {
    hint: 'Run it again; nothing has been changed.',
    cause,
  });
