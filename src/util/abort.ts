import { LlmspellError } from '../errors.js';

/** Throws `ABORTED` where the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new LlmspellError('ABORTED', 'The operation was stopped.', { cause: signal.reason });
}
