import { LlmspellError } from '../errors.js';

/** How long a command may take to leave things in order after Ctrl-C, in milliseconds. */
const GRACE_MS = 2000;

export interface Stop {
  /** Aborted by the first SIGINT or SIGTERM, with an `ABORTED` error as its reason. */
  signal: AbortSignal;
  /** Rejects with that error where the command has not come to its end within the grace after it. */
  overdue: Promise<never>;
}

let onInterrupt: () => boolean = () => false;

/** Has Ctrl-C do something else than end the command, where `handler` says that it has: for a session, where it ends the running line. */
export function takeInterrupts(handler: () => boolean): void {
  onInterrupt = handler;
}

/** The first signal asks the command to end in order, a second one ends the process at once. */
export function stopOnSignals(exit: (exitCode: number) => void): Stop {
  const controller = new AbortController();
  const overdue = new Promise<never>((_, reject) => {
    const onSignal = (name: NodeJS.Signals) => {
      if (name === 'SIGINT' && onInterrupt()) return;
      const reason = new LlmspellError('ABORTED', `Interrupted by ${name}.`);
      if (controller.signal.aborted) exit(reason.exitCode);
      controller.abort(reason);
      setTimeout(() => reject(reason), GRACE_MS).unref();
    };
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  });
  return { signal: controller.signal, overdue };
}
