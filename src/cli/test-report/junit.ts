import { countsOf, type FileResult, failureLines, nameOf, type TestResult } from './results.js';

/** The XML that CI servers read: a suite for each file, a case for each test. */
export function junitReport(files: readonly FileResult[]): string {
  const durationMs = files.reduce((sum, file) => sum + file.durationMs, 0);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${sums(files, durationMs)}>`,
    ...files.flatMap(suite),
    '</testsuites>',
  ].join('\n');
}

function suite(result: FileResult): string[] {
  const { file, tests, durationMs } = result;
  return [
    `  <testsuite name="${escaped(file)}"${sums([result], durationMs)}>`,
    ...tests.map((test) => testCase(file, test)),
    '  </testsuite>',
  ];
}

function sums(files: readonly FileResult[], durationMs: number): string {
  const { passed, failed, pending } = countsOf(files);
  return ` tests="${passed + failed + pending}" failures="${failed}" errors="0" skipped="${pending}" time="${seconds(durationMs)}"`;
}

function testCase(file: string, test: TestResult): string {
  const [where, line] = /^(.*):(\d+)$/.exec(test.place)?.slice(1) ?? [file];
  const attributes = [
    ['name', nameOf(test, ' ')],
    ['classname', file],
    ['file', where!],
    ...(line === undefined ? [] : [['line', line]]),
    ['time', seconds(test.durationMs)],
  ];
  const inner = outcomeElement(test) + outputElement(test);
  const head = `    <testcase ${attributes.map(([key, value]) => `${key}="${escaped(value!)}"`).join(' ')}`;
  return inner === '' ? `${head}/>` : `${head}>${inner}</testcase>`;
}

function outcomeElement({ outcome }: TestResult): string {
  if (outcome.status === 'passed') return '';
  if (outcome.status === 'pending')
    return `<skipped${outcome.reason === '' ? '' : ` message="${escaped(outcome.reason)}"`}/>`;
  return `<failure message="${escaped(outcome.message)}">${escaped(failureLines(outcome).join('\n'))}</failure>`;
}

const outputElement = ({ output }: TestResult): string =>
  output === '' ? '' : `<system-out>${escaped(output)}</system-out>`;

const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(3);

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
};

/** XML 1.0 has no word for most control characters. */
const escaped = (text: string): string =>
  text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
    .replace(/[&<>"\n]/g, (c) => ENTITIES[c]!);
