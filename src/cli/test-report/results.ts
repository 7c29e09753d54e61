import type { OutputStream } from '../../channel/output.js';
import type { TestEvent, TestOutcome } from '../../channel/tests.js';
import type { ScriptResult } from '../../host/script-host.js';

export interface TestResult {
  /** The blocks around it and its own name; none: the file itself. */
  path: readonly string[];
  /** `file:line`, or empty. */
  place: string;
  outcome: TestOutcome;
  durationMs: number;
  /** What it has printed. */
  output: string;
}

export interface FileResult {
  file: string;
  tests: TestResult[];
  durationMs: number;
}

export interface Counts {
  passed: number;
  failed: number;
  pending: number;
}

/** Collects what becomes of the tests of one file. */
export class FileRun {
  readonly #file: string;
  readonly #now: () => number;
  readonly #tests: TestResult[] = [];
  #current: { path: readonly string[]; place: string; startedMs: number } | undefined;
  #printed: Uint8Array[] = [];
  #isDone = false;

  constructor(file: string, now: () => number) {
    this.#file = file;
    this.#now = now;
  }

  readonly onOutput = (_: OutputStream, bytes: Uint8Array): void => {
    this.#printed.push(bytes.slice());
  };

  readonly onEvent = (event: TestEvent): void => {
    if (event.kind === 'done') this.#isDone = true;
    else if (event.kind === 'begin') this.#begin(event.path, event.place);
    else this.#end(event.outcome);
  };

  /** What became of the file. One that came to no proper end is a failure: of the test that ran then, or of the file. */
  finish({ error, exitCode, durationMs }: ScriptResult): FileResult {
    if (!this.#isDone) {
      if (this.#current === undefined) this.#begin([], '');
      const message =
        error?.message ?? `The script ended itself with os.exit(${exitCode}), before its tests were done.`;
      this.#end({
        status: 'failed',
        message,
        place: '',
        details: error?.hint ?? '',
        traceback: error?.traceback ?? '',
      });
    }
    return { file: this.#file, tests: this.#tests, durationMs };
  }

  #begin(path: readonly string[], place: string): void {
    this.#current = { path, place, startedMs: this.#now() };
    this.#printed = [];
  }

  #end(outcome: TestOutcome): void {
    const { path, place, startedMs } = this.#current!;
    const output = Buffer.concat(this.#printed).toString();
    this.#tests.push({ path, place, outcome, output, durationMs: this.#now() - startedMs });
    this.#current = undefined;
  }
}

export function countsOf(files: readonly FileResult[]): Counts {
  const counts = { passed: 0, failed: 0, pending: 0 };
  for (const { tests } of files) for (const { outcome } of tests) counts[outcome.status]++;
  return counts;
}

export const nameOf = ({ path }: TestResult, separator = ' › '): string =>
  path.length > 0 ? path.join(separator) : '(the file itself)';

/** What a failure says, below its name. */
export function failureLines(outcome: TestOutcome & { status: 'failed' }): string[] {
  const { place, message, details, traceback } = outcome;
  const text = [`${place === '' ? '' : `${place}: `}${message}`, details, traceback].filter((part) => part !== '');
  return text.flatMap((part) => part.trimEnd().split('\n'));
}
