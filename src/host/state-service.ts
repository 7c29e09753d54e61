import type { Handlers } from '../channel/responder.js';

/** Answers `State` for scripts. */
export interface StateService {
  /** For one run; `signal` says that the script has ended. */
  session(signal: AbortSignal): { handlers: Handlers; close(): Promise<void> };
}
