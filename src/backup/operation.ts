import { LlmspellError } from '../errors.js';
import type { OperationOptions, Progress } from './types.js';

/** Runs `work`; where it ended because it was aborted, the error is `ABORTED` and says what was stopped. */
export async function abortable<T>(what: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  try {
    signal?.throwIfAborted();
    return await work();
  } catch (error) {
    if (!signal?.aborted) throw error;
    throw new LlmspellError('ABORTED', `${what} was stopped.`, { cause: error });
  }
}

/** Tells the caller how far an operation is; the percentage follows from `done` and `total`. */
export type Report = (step: Pick<Progress, 'phase' | 'message'> & Partial<Progress>) => void;

export function reporter(operation: Progress['operation'], { onProgress }: OperationOptions): Report {
  return (step) => {
    if (!onProgress) return;
    const { done = 0, total } = step;
    const percent = total === undefined ? {} : { percent: total === 0 ? 100 : Math.min(100, (done / total) * 100) };
    onProgress({ operation, done, ...percent, ...step });
  };
}
