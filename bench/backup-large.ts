/**
 * `npm run bench:backup:large [entries]`: what a backup, a validation and a restore take of memory at a large state, and an incremental backup
 * of 2,000 changes at a tenth of it and at all of it. 4,600,000 entries are 2 GB and take some 6 GB of disk under the temporary directory.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const entryCount = Number(process.argv[2] ?? 4_600_000);
const JOB = fileURLToPath(new URL('backup-job.js', import.meta.url));
const SAMPLE_MS = 5;
const MIB = 1024;

/** Of the process's own memory, in KiB. Pages of files that are mapped are the system's cache, and not counted. */
function ownMemory(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0);
}

async function run(directory: string, job: string, entries: number): Promise<{ seconds: number; aboveIdle: number }> {
  const child = fork(JOB, [directory, job, String(entries)]);
  await once(child, 'message');
  const idle = ownMemory(child.pid!);
  let peak = idle;
  const sampling = setInterval(() => {
    peak = Math.max(peak, ownMemory(child.pid!));
  }, SAMPLE_MS);
  child.send('go');
  const [seconds] = (await once(child, 'message')) as [number];
  clearInterval(sampling);
  await once(child, 'exit');
  return { seconds, aboveIdle: (peak - idle) / MIB };
}

const incremental: number[] = [];
for (const entries of [entryCount / 10, entryCount]) {
  const directory = mkdtempSync(join(tmpdir(), 'llmspell-bench-'));
  try {
    console.log(`${entries} entries, ${((entries * 436) / 1e6).toFixed(0)} MB`);
    for (const job of ['fill', 'full', 'validate', 'restore', 'incremental']) {
      const { seconds, aboveIdle } = await run(directory, job, entries);
      if (job === 'incremental') incremental.push(seconds);
      const figures = [`${seconds.toFixed(3)} s`, `${aboveIdle.toFixed(0)} MiB above idle`];
      console.log([job.padEnd(12), ...figures.map((figure) => figure.padStart(22))].join(''));
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
console.log(`incremental backup, at all of it / at a tenth: ${(incremental[1]! / incremental[0]!).toFixed(2)}`);
