/**
 * `npm run bench:limits`: how long after its time limit a script has ended, whatever it does, and what processor time of all threads it took from
 * the limit to the end: where others use the processors too, that is the least of what it can take.
 */
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
const fifos = ['written', 'read', 'required'].map((name) => join(directory, name));
execFileSync('mkfifo', fifos);
const host = await openHost({
  directory,
  settings: { runtime: { security: { allow_process_spawn: true }, state_persistence: { path: 'state' } } },
});

/** Milliseconds from the limit to the end, and of processor time in between: least and most of the runs. */
async function lateness(source: string, run: Run): Promise<Record<'late' | 'busy', [number, number]>> {
  const late: number[] = [];
  const busy: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    let atLimit = process.cpuUsage();
    setTimeout(() => {
      atLimit = process.cpuUsage();
    }, LIMIT_SECONDS * 1000);
    const result = await host.run({ source, timeoutSeconds: LIMIT_SECONDS, output: () => undefined, ...run });
    if (result.error?.code !== 'SCRIPT_TIMEOUT') throw new Error(`${source} ended: ${result.error?.message}`);
    const { user, system } = process.cpuUsage(atLimit);
    late.push(result.durationMs - LIMIT_SECONDS * 1000);
    busy.push((user + system) / 1000);
  }
  return { late: [Math.min(...late), Math.max(...late)], busy: [Math.min(...busy), Math.max(...busy)] };
}

async function report(name: string, source: string, run: Run = {}): Promise<number> {
  const { late, busy } = await lateness(source, run);
  const range = ([least, most]: [number, number]) => `${least.toFixed(0)} to ${most.toFixed(0)} ms`;
  console.log(`${name}: ${range(late)} late, ${range(busy)} of processor time`);
  return late[1];
}

const silent = () => new Promise<void>(() => undefined);
const late: number[] = [];
for (const [name, source] of Object.entries(endless(fifos))) late.push(await report(name, source));
late.push(await report('a stdin that gives nothing', waiting.stdin, { stdin: new Readable({ read() {} }) }));
late.push(await report('a stdout that takes nothing', waiting.stdout, { output: silent }));
late.push(await report('a stderr that takes nothing', waiting.stderr, { output: silent }));
console.log(`at most ${Math.max(...late).toFixed(0)} ms after a limit of ${LIMIT_SECONDS} s`);
await host.close();
rmSync(directory, { recursive: true });
