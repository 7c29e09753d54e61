/** `npm run bench:limits`: how long after its time limit a script has ended, whatever it does. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type Host, openHost } from '../dist/index.js';
import { endless, waiting } from './endless.js';

const LIMIT_SECONDS = 0.5;
const RUNS = 3;

type Run = Omit<Parameters<Host['run']>[0], 'source'>;

const directory = mkdtempSync(join(tmpdir(), 'llmspell-bench-limits-'));
const fifo = join(directory, 'fifo');
execFileSync('mkfifo', [fifo]);
const host = await openHost({
  directory,
  settings: { runtime: { security: { allow_process_spawn: true }, state_persistence: { path: 'state' } } },
});

/** Milliseconds from the limit to the end: least and most of the runs. */
async function lateness(source: string, run: Run): Promise<[number, number]> {
  const late: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const result = await host.run({ source, timeoutSeconds: LIMIT_SECONDS, output: () => undefined, ...run });
    if (result.error?.code !== 'SCRIPT_TIMEOUT') throw new Error(`${source} ended: ${result.error?.message}`);
    late.push(result.durationMs - LIMIT_SECONDS * 1000);
  }
  return [Math.min(...late), Math.max(...late)];
}

async function report(name: string, source: string, run: Run = {}): Promise<number> {
  const [least, most] = await lateness(source, run);
  console.log(`${name}: ${least.toFixed(0)} to ${most.toFixed(0)} ms late`);
  return most;
}

const silent = () => new Promise<void>(() => undefined);
const late: number[] = [];
for (const [name, source] of Object.entries(endless(fifo))) late.push(await report(name, source));
late.push(await report('a stdin that gives nothing', waiting.stdin, { stdin: new Readable({ read() {} }) }));
late.push(await report('a stdout that takes nothing', waiting.stdout, { output: silent }));
late.push(await report('a stderr that takes nothing', waiting.stderr, { output: silent }));
console.log(`at most ${Math.max(...late).toFixed(0)} ms after a limit of ${LIMIT_SECONDS} s`);
await host.close();
rmSync(directory, { recursive: true });
