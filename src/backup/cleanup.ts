import { throwIfAborted } from '../util/abort.js';
import { type Archives, removeArchive } from './archives.js';
import { sizeOf } from './chain.js';
import { decideRetention } from './retention.js';
import type { BackupRecord, CleanupResult } from './types.js';

/** Removes what retention no longer keeps; with `dryRun` it only tells. */
export async function cleanUp(archives: Archives, dryRun: boolean, signal?: AbortSignal): Promise<CleanupResult> {
  const records = await archives.catalog.records();
  const decisions = await decide(archives, records);
  const removed = records.filter((record) => decisions.some(({ id, keep }) => id === record.id && !keep));
  // Newest first: a process killed half-way leaves no backup without what it rests on.
  for (const { id } of dryRun ? [] : removed.toReversed()) {
    throwIfAborted(signal);
    await removeArchive(archives, id);
  }
  return {
    dryRun,
    decisions,
    deletedCount: removed.length,
    retainedCount: records.length - removed.length,
    spaceFreedBytes: sizeOf(removed),
  };
}

/**
 * Before anything goes, the newest full backup is known to be sound: one that is not is marked as damaged and the next older one
 * takes its place in the decision.
 */
async function decide({ options, clock, isSound }: Archives, records: readonly BackupRecord[]) {
  const judged = [...records];
  for (;;) {
    const decisions = decideRetention(judged, options.retention, clock.nowMs());
    const full = judged.findLastIndex((record) => !record.isIncremental && record.damage === undefined);
    const newest = judged[full];
    if (!newest || decisions.every(({ keep }) => keep) || (await isSound(newest.id))) return decisions;
    judged[full] = { ...newest, damage: 'Its bytes are not what they were when it was made.' };
  }
}
