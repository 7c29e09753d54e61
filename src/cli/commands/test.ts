import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { checkConfig } from '../../config/check.js';
import type { Config } from '../../config/schema.js';
import { EXIT, LlmspellError } from '../../errors.js';
import { Host } from '../../host/host.js';
import { type Context, readConfig } from '../context.js';
import { testDocument } from '../documents.js';
import { testFiles } from '../test-files.js';
import { junitReport } from '../test-report/junit.js';
import { countsOf, type FileResult, FileRun } from '../test-report/results.js';
import { TapReport } from '../test-report/tap.js';
import { fileText, summaryText } from '../test-report/text.js';
import { type LimitFlags, overridesOf } from './run.js';

interface TestFlags extends LimitFlags {
  /** A Lua pattern. */
  filter?: string;
  format?: 'text' | 'tap' | 'junit';
}

/** Runs the tests of each file in a machine of its own, and each test on an empty state of its own; exit 1 where one fails. */
export async function test(context: Context, named: string[], flags: TestFlags): Promise<number> {
  const files = await testFiles(context.cwd, named);
  const { config } = await readConfig(context);
  const directory = await mkdtemp(join(tmpdir(), 'llmspell-test-'));
  try {
    await using host = new Host({ config: throwAway(config, directory) });
    const results = await runFiles(context, host, files, flags);
    if (results.every(({ tests }) => tests.length === 0)) throw nothingRun(flags.filter);
    report(context, results, flags);
    return countsOf(results).failed > 0 ? EXIT.failed : EXIT.done;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const nothingRun = (filter: string | undefined): LlmspellError =>
  new LlmspellError('USAGE', filter === undefined ? 'The files hold no tests.' : `No test matches "${filter}".`, {
    hint: 'Tests are described with `it(name, function() … end)`; a filter is a Lua pattern.',
  });

/** The configuration with a state in memory, and backups where nobody else's are. */
function throwAway(config: Config, directory: string): Config {
  const own = structuredClone(config);
  const surroundings = { env: {}, fileDirectory: directory, defaultDirectory: directory };
  const defaults = checkConfig({ runtime: { state_persistence: { backup: {} } } }, surroundings).config;
  const state = own.runtime.state_persistence;
  state.enabled = true;
  state.backend_type = 'memory';
  state.backup_enabled = true;
  state.backup ??= defaults.runtime.state_persistence.backup!;
  state.backup.backup_dir = join(directory, 'backups');
  return own;
}

async function runFiles(
  context: Context,
  host: Host,
  files: readonly string[],
  flags: TestFlags,
): Promise<FileResult[]> {
  const tap = new TapReport();
  const results: FileResult[] = [];
  for (const file of files) {
    const result = await runFile(context, host, file, flags);
    results.push(result);
    if (context.out.json || result.tests.length === 0) continue;
    // Told as it comes, but for what has its sums at the beginning.
    if (flags.format === 'tap') context.out.result(undefined, () => tap.file(result));
    else if (flags.format !== 'junit') context.out.result(undefined, (style) => fileText(result, style));
  }
  if (!context.out.json && flags.format === 'tap') context.out.result(undefined, () => tap.plan());
  return results;
}

async function runFile({ signal }: Context, host: Host, file: string, flags: TestFlags): Promise<FileResult> {
  const run = new FileRun(file, () => performance.now());
  const freshState = async () => {
    await host.renew();
    await rm(host.config.runtime.state_persistence.backup!.backup_dir, { recursive: true, force: true });
  };
  const result = await host.run({
    path: file,
    signal,
    overrides: overridesOf(flags),
    output: run.onOutput,
    stdin: Readable.from([]),
    tests: { onEvent: run.onEvent, freshState, ...(flags.filter !== undefined && { filter: flags.filter }) },
    ...(flags.timeout !== undefined && { timeoutSeconds: flags.timeout }),
  });
  signal.throwIfAborted();
  return run.finish(result);
}

function report({ out }: Context, results: readonly FileResult[], { format }: TestFlags): void {
  const durationMs = results.reduce((sum, result) => sum + result.durationMs, 0);
  const counts = countsOf(results);
  if (out.json) out.result(testDocument(results, counts, durationMs), () => '');
  else if (format === 'junit') out.result(undefined, () => junitReport(results));
  else if (format !== 'tap') out.result(undefined, (style) => `\n${summaryText(counts, durationMs, style)}`);
}
