/**
 * One piece of work on a state and its backups, in a process of its own, so that its memory can be watched: `node backup-job.js <directory>
 * <job> <entries>`. It opens the state, says so, begins when it is told to, and tells how many seconds it took.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { drill } from '../dist/recovery/drill.js';
import { RecoveryOrchestrator } from '../dist/recovery/orchestrator.js';
import { decodeKey } from '../dist/state/key.js';
import type { StateStore } from '../dist/state/types.js';
import { pooledEntries } from './entries.js';
import { atRest, openBench, seconds } from './harness.js';

const [directory, job, entryCount] = [process.argv[2]!, process.argv[3]!, Number(process.argv[4])];
const PAGE = 1000;
const CHANGES = 2000;
const SMALLEST_OF = 5;

async function write(store: StateStore, count: number, seed: number, step = 1): Promise<void> {
  const entry = pooledEntries(seed);
  for (let at = 0; at < count; at += PAGE * step) {
    const page = Array.from({ length: Math.min(PAGE, Math.ceil((count - at) / step)) }, (_, i) => entry(at + i * step));
    await store.write(page.map(({ key, value }) => ({ ...decodeKey(key)!, value })));
  }
  await store.flush();
}

const { store, backups } = await openBench(join(directory, 'state'), join(directory, 'backups'));

/** The same number of changes, whatever the size of the state. */
async function incremental(): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < SMALLEST_OF; round++) {
    await write(store, entryCount, 2 + round, entryCount / CHANGES);
    await atRest();
    times.push(await seconds(() => backups.create({ incremental: true })));
  }
  return Math.min(...times);
}

const JOBS: Record<string, () => Promise<number>> = {
  fill: () => seconds(() => write(store, entryCount, 1)),
  full: () => seconds(() => backups.create()),
  validate: () => seconds(() => backups.validate('latest')),
  restore: () => seconds(() => new RecoveryOrchestrator({ store, backups }).restore({ backupId: 'latest' })),
  drill: () => seconds(() => drill(backups, 'latest')),
  incremental,
};

await atRest();
process.send!('ready');
await new Promise((resolve) => process.once('message', resolve));
const taken = await JOBS[job]!();
process.send!(taken);
await delay(20);
await store.close();
process.disconnect();
