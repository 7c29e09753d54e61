import { setTimeout as delay } from 'node:timers/promises';
import { DirectoryRepository } from '../dist/backup/directory-repository.js';
import { BackupManager } from '../dist/backup/manager.js';
import type { BackupOptions } from '../dist/backup/types.js';
import { createLevelBackend } from '../dist/state/backends/level.js';
import { openStore } from '../dist/state/store.js';
import type { StateStore } from '../dist/state/types.js';

export const OPTIONS: BackupOptions = {
  compression: { type: 'zstd', level: 3 },
  incrementalEnabled: true,
  fullIntervalSeconds: 0,
  maxChainLength: 1000,
  retention: { maxBackups: 0, maxAgeSeconds: 0, keepHourly: 0, keepDaily: 0, keepWeekly: 0, keepMonthly: 0 },
};

export async function openBench(
  state: string,
  archives: string,
): Promise<{ store: StateStore; backups: BackupManager }> {
  const store = await openStore(createLevelBackend({ directory: state }));
  const repository = new DirectoryRepository(archives);
  return { store, backups: new BackupManager({ repository, options: OPTIONS, store }) };
}

export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return (performance.now() - from) / 1000;
}

const REST_MS = 100;
const REST_CPU_MICROSECONDS = 5000;

/** Waits until what this process does in the background (compaction, clearing old generations) is done. */
export async function atRest(): Promise<void> {
  for (;;) {
    const before = process.cpuUsage();
    await delay(REST_MS);
    const { user, system } = process.cpuUsage(before);
    if (user + system < REST_CPU_MICROSECONDS) return;
  }
}
