/**
 * `npm run bench:start`: a whole run of a one-line script, from the start of the process to its first line (what it prints has come out) and to
 * its end, by the clock and in processor time, beside `node -e 0` and beside what no script in a thread can do without: a process that starts an
 * empty thread and gets one message from it. Then how soon the second script starts in one process that keeps a machine ready.
 *
 * `NODE_EXTRA_CA_CERTS` is left out: with it Node reads certificates at each start, 40 ms that make every ratio look better.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { openHost } from '../dist/index.js';

const ROUNDS = Number(process.argv[2] ?? 20);
const COMMAND = fileURLToPath(new URL('../bin/llmspell.js', import.meta.url));
const EMPTY_THREAD = `
const { Worker } = require('node:worker_threads');
const code = "require('node:worker_threads').parentPort.postMessage(1)";
new Worker(code, { eval: true }).once('message', () => process.exit());`;

const STATE = "State.set('scope', 'key', 1) print(State.get('scope', 'key'))";
const SCRIPTS = { 'print.lua': 'print(1)\n', 'state.lua': `${STATE}\n` };

const PROCESSES: Record<string, readonly string[]> = {
  'node -e 0': ['-e', '0'],
  'an empty thread': ['-e', EMPTY_THREAD],
  'print(1)': [COMMAND, 'run', 'print.lua'],
  'a new State': [COMMAND, 'run', 'state.lua'],
  'a State on disk': [COMMAND, 'run', 'state.lua'],
};
/** Preloaded: writes what the process has used by its end, and costs each of them the same. */
const TELL_CPU = `
process.once('exit', () => {
  const { user, system } = process.cpuUsage();
  require('node:fs').writeFileSync(process.env.BENCH_CPU, String((user + system) / 1000));
});`;

type Figure = 'first line' | 'end' | 'processor';
type Figures = Record<Figure, number>;

const cwd = mkdtempSync(join(tmpdir(), 'llmspell-bench-'));
for (const [name, source] of Object.entries(SCRIPTS)) writeFileSync(join(cwd, name), source);
writeFileSync(join(cwd, 'cpu.cjs'), TELL_CPU);
const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;
const env = { ...environment, BENCH_CPU: join(cwd, 'cpu') };

/** Milliseconds. What prints nothing has its first line at its end. */
function run(args: readonly string[]): Promise<Figures> {
  const startedAt = performance.now();
  const sinceStart = () => performance.now() - startedAt;
  const child = spawn(process.execPath, ['--require', join(cwd, 'cpu.cjs'), ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let firstLine: number | undefined;
  child.stdout.once('data', () => {
    firstLine = sinceStart();
  });
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => {
      const end = sinceStart();
      if (code !== 0) return reject(new Error(`node ${args.join(' ')} ended with ${code}`));
      resolve({ 'first line': firstLine ?? end, end, processor: Number(readFileSync(env.BENCH_CPU, 'utf8')) });
    });
  });
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

const runs = Object.fromEntries(Object.keys(PROCESSES).map((name): [string, Figures[]] => [name, []]));
// In turn, so that a slow moment of the machine meets all of them; the first round warms the caches.
for (let round = 0; round <= ROUNDS; round++) {
  rmSync(join(cwd, '.llmspell'), { recursive: true, force: true });
  for (const [name, args] of Object.entries(PROCESSES)) {
    const figures = await run(args);
    if (round > 0) runs[name]!.push(figures);
  }
}

console.log(`Node ${process.versions.node}, ${ROUNDS} rounds; median (least), × node -e 0`);
const base = runs['node -e 0']!;
for (const [name, own] of Object.entries(runs)) {
  const figures = (['first line', 'end', 'processor'] as const).map((figure) => {
    const [values, of] = [own, base].map((all) => all.map((each) => each[figure]));
    const [least, leastOf] = [Math.min(...values!), Math.min(...of!)];
    const ratios = `${(median(values!) / median(of!)).toFixed(2)} × (${(least / leastOf).toFixed(2)} ×)`;
    return `${figure} ${median(values!).toFixed(0)} (${least.toFixed(0)}) ms ${ratios}`;
  });
  console.log(`${name.padEnd(16)} ${figures.join('; ')}`);
}

/** From the call to the script's first line. */
async function secondStarts(): Promise<number[]> {
  const settings = { runtime: { state_persistence: { backend_type: 'memory' } } };
  await using host = await openHost({ directory: cwd, settings, warm: true });
  const starts: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const startedAt = performance.now();
    let firstLine = 0;
    await host.run({
      source: 'io.write("started") io.flush()',
      output: () => {
        firstLine ||= performance.now() - startedAt;
      },
    });
    if (round > 0) starts.push(firstLine);
    // The next machine comes up.
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  return starts;
}

const starts = await secondStarts();
const ms = [median(starts), Math.min(...starts), Math.max(...starts)].map((each) => each.toFixed(1));
console.log(`another script in one process, to its first line: median ${ms[0]} ms, least ${ms[1]}, most ${ms[2]}`);
rmSync(cwd, { recursive: true });
