import type { Answering } from '../channel/protocol.js';
import type { Handlers } from '../channel/responder.js';
import type { TestEvent, TestPort } from '../channel/tests.js';
import type { Session } from './script-thread.js';

export interface TestOptions {
  /** A Lua pattern: only tests whose full name (those of the blocks around it and its own, with blanks between) matches. Default: all. */
  filter?: string;
  /** Told of each test; what it has printed has come before its end. */
  onEvent(event: TestEvent): void;
  /** Called before each test: puts an empty state in the place of the one that there is. */
  freshState(): Promise<void>;
}

/** Answers a machine that runs tests. */
export function testHandlers(options: TestOptions, session: Session | undefined): Handlers {
  const port: Answering<TestPort> = {
    testEvent: (event) => options.onEvent(event),
    freshState: () => session?.renew?.(() => options.freshState()),
  };
  return {
    testEvent: ([event]) => port.testEvent(event as TestEvent),
    freshState: () => port.freshState(),
  };
}
