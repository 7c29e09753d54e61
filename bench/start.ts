/**
 * `npm run bench:start`: a whole run of a one-line script, from the start of the process to its end, beside `node -e 0` and beside what no
 * script in a thread can do without: a process that starts an empty thread and gets one message from it.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

const ROUNDS = 20;
const COMMAND = fileURLToPath(new URL('../bin/llmspell.js', import.meta.url));
const EMPTY_THREAD = `
const { Worker } = require('node:worker_threads');
const code = "require('node:worker_threads').parentPort.postMessage(1)";
new Worker(code, { eval: true }).once('message', () => process.exit());`;

const SCRIPTS = {
  'print.lua': 'print(1)\n',
  'state.lua': "State.set('scope', 'key', 1) print(State.get('scope', 'key'))\n",
};

const PROCESSES: Record<string, readonly string[]> = {
  'node -e 0': ['-e', '0'],
  'an empty thread': ['-e', EMPTY_THREAD],
  'print(1)': [COMMAND, 'run', 'print.lua'],
  'State on disk': [COMMAND, 'run', 'state.lua'],
};

/** Milliseconds from start to end. */
function run(args: readonly string[], cwd: string): number {
  const startedAt = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`node ${args.join(' ')} failed: ${stderr}`);
  return performance.now() - startedAt;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

const cwd = mkdtempSync(join(tmpdir(), 'llmspell-bench-'));
for (const [name, source] of Object.entries(SCRIPTS)) writeFileSync(join(cwd, name), source);
const times = Object.fromEntries(Object.keys(PROCESSES).map((name): [string, number[]] => [name, []]));
// In turn, so that a slow moment of the machine meets all of them; the first round warms the caches.
for (let round = 0; round <= ROUNDS; round++) {
  for (const [name, args] of Object.entries(PROCESSES)) {
    const ms = run(args, cwd);
    if (round > 0) times[name]!.push(ms);
  }
}
rmSync(cwd, { recursive: true });

const base = times['node -e 0']!;
console.log(`Node ${process.versions.node}, ${ROUNDS} rounds; × node -e 0`);
for (const [name, own] of Object.entries(times)) {
  const [middle, least] = [median(own), Math.min(...own)];
  const ratios = `${(middle / median(base)).toFixed(2)} × (of the least: ${(least / Math.min(...base)).toFixed(2)} ×)`;
  console.log(`${name.padEnd(16)} median ${middle.toFixed(0)} ms, least ${least.toFixed(0)} ms; ${ratios}`);
}
