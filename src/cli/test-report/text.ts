import { counted, duration } from '../format.js';
import type { Style } from '../output.js';
import { type Counts, type FileResult, failureLines, nameOf, type TestResult } from './results.js';

/** The tests of a file, each on a line; below a failure what it says, and what the test has printed. */
export function fileText({ file, tests }: FileResult, style: Style): string {
  return [style.bold(file), ...tests.flatMap((test) => testLines(test, style))].join('\n');
}

function testLines(test: TestResult, style: Style): string[] {
  const { outcome, output, durationMs } = test;
  if (outcome.status === 'passed')
    return [`  ${style.green('✓')} ${nameOf(test)} ${style.dim(took(durationMs))}`.trimEnd()];
  if (outcome.status === 'pending')
    return [
      `  ${style.yellow('-')} ${nameOf(test)}${style.dim(outcome.reason === '' ? ' (pending)' : ` (pending: ${outcome.reason})`)}`,
    ];
  const [first = '', ...rest] = failureLines(outcome);
  const printed = output === '' ? [] : ['printed:', ...output.trimEnd().split('\n')];
  return [
    `  ${style.red('✗')} ${nameOf(test)}`,
    ...[style.red(first), ...rest].map((line) => `      ${line}`),
    ...printed.map((line) => `      ${style.dim(line)}`),
  ];
}

/** Only what is worth knowing: most tests take next to nothing. */
const took = (durationMs: number): string => (durationMs >= 100 ? `(${duration(durationMs)})` : '');

export function summaryText({ passed, failed, pending }: Counts, durationMs: number, style: Style): string {
  const parts = [
    style.green(`${counted(passed, 'test')} passed`),
    failed > 0 ? style.red(`${failed} failed`) : undefined,
    pending > 0 ? style.yellow(`${pending} pending`) : undefined,
  ];
  return `${parts.filter((part) => part !== undefined).join(', ')} in ${duration(durationMs)}.`;
}
