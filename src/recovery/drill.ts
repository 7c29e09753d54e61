import { comparable, differenceOf, walkTogether } from '../backup/compare.js';
import type { BackupManager } from '../backup/manager.js';
import { abortable } from '../backup/operation.js';
import type { OperationOptions } from '../backup/types.js';
import { LlmspellError } from '../errors.js';
import type { StateStore } from '../state/types.js';
import { type Clock, systemClock } from '../util/clock.js';
import { RecoveryOrchestrator } from './orchestrator.js';
import { openScratch } from './scratch.js';
import type { DrillResult } from './types.js';

/**
 * Restores a backup for real, into a scratch state on disk that is thrown away, and compares what came out with the archives entry
 * by entry. What is wrong with the backup is in the result; an unknown id throws as `BackupManager.find` does, and `ABORTED`.
 *
 * @param reference an id, the beginning of one, or `latest`.
 */
export async function drill(
  backups: BackupManager,
  reference: string,
  options: OperationOptions = {},
  clock: Clock = systemClock,
): Promise<DrillResult> {
  const startMs = clock.nowMs();
  const { id } = await backups.find(reference);
  const result: Omit<DrillResult, 'durationMs'> = {
    backupId: id,
    success: false,
    entriesCompared: 0,
    entriesDifferent: 0,
    chain: [],
    errors: [],
  };
  try {
    const found = await abortable('The drill', options.signal, () => restoreAside(backups, id, options));
    Object.assign(result, found, { success: found.entriesDifferent === 0 });
  } catch (error) {
    if (!(error instanceof LlmspellError) || error.code === 'ABORTED') throw error;
    result.errors.push(error.message);
  }
  return { ...result, durationMs: clock.nowMs() - startMs };
}

async function restoreAside(backups: BackupManager, id: string, options: OperationOptions) {
  const { store, close } = await openScratch();
  try {
    const recovery = new RecoveryOrchestrator({ store, backups });
    const { chain } = await recovery.restore({ backupId: id }, { ...options, backupCurrent: false });
    return { chain, ...(await compareWith(backups, id, store, options)) };
  } finally {
    await close();
  }
}

async function compareWith(backups: BackupManager, id: string, store: StateStore, options: OperationOptions) {
  const expected = await backups.openState(await backups.chain(id), undefined, options);
  const restored = comparable(await store.snapshot());
  const counts = { entriesCompared: 0, entriesDifferent: 0 };
  try {
    await walkTogether([expected, restored], undefined, (_key, [wanted, found]) => {
      counts.entriesCompared++;
      if (differenceOf(wanted, found) !== 'same') counts.entriesDifferent++;
    });
  } finally {
    await Promise.all([expected.close(), restored.close()]);
  }
  return counts;
}
