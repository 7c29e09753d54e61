import { type FileResult, failureLines, nameOf, type TestResult } from './results.js';

/** TAP 14: a line for each test, and what a failure says as a YAML block. */
export class TapReport {
  #count = 0;

  /** The lines of a file. */
  file({ file, tests }: FileResult): string {
    const lines = tests.flatMap((test) => this.#test(file, test));
    return [...(this.#count === tests.length ? ['TAP version 14'] : []), ...lines].join('\n');
  }

  /** How many tests there were; the last line. */
  plan(): string {
    return `1..${this.#count}`;
  }

  #test(file: string, test: TestResult): string[] {
    const { outcome } = test;
    const name = escaped(`${file}: ${nameOf(test, ' ')}`);
    const head = `${outcome.status === 'failed' ? 'not ok' : 'ok'} ${++this.#count} - ${name}`;
    if (outcome.status === 'passed') return [head];
    if (outcome.status === 'pending') return [`${head} # SKIP ${escaped(outcome.reason || 'pending')}`];
    return [head, '  ---', '  message: |-', ...failureLines(outcome).map((line) => `    ${line}`), '  ...'];
  }
}

/** A name that holds what TAP gives a meaning. */
const escaped = (text: string): string => text.replace(/[\\#]/g, '\\$&').replace(/\s+/g, ' ');
