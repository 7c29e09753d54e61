/** A machine that runs a file of tests: what it finds in it is told as it goes. */
export type TestEvent =
  /** The next test, by the names of the blocks that it stands in and its own; none: the file itself. `place` is `file:line`, or empty. */
  | { kind: 'begin'; place: string; path: readonly string[] }
  | { kind: 'end'; outcome: TestOutcome }
  /** All tests of the file have been run. */
  | { kind: 'done' };

export type TestOutcome =
  | { status: 'passed' }
  | { status: 'pending'; reason: string }
  | {
      status: 'failed';
      message: string;
      /** `file:line`, or empty where it is not known. */
      place: string;
      /** What was expected, and what there was; may have several lines, and may be empty. */
      details: string;
      traceback: string;
    };

export interface TestSettings {
  /** A Lua pattern: only tests whose full name matches are run. Empty: all. */
  filter: string;
}

/** What the machine asks the host for while it runs tests. The worker sees these operations as they stand, synchronous. */
export interface TestPort {
  testEvent(event: TestEvent): void;
  /** Makes the state an empty one that nobody has used. */
  freshState(): void;
}
