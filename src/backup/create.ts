import type { LiveSnapshot, StateStore } from '../state/types.js';
import type { Archives } from './archives.js';
import { cleanUp } from './cleanup.js';
import { type Written, writeOnTop } from './incremental.js';
import { type Report, reporter } from './operation.js';
import { newBackupId } from './repository.js';
import { writeFull } from './snapshot.js';
import type { BackupRecord, CleanupResult, CreateOptions, CreateResult } from './types.js';

/** As `BackupManager.create`, when its turn has come. */
export async function createBackup(
  archives: Archives,
  store: StateStore,
  options: CreateOptions,
): Promise<CreateResult> {
  const { catalog, clock } = archives;
  const startMs = clock.nowMs();
  const snapshot = await store.snapshot();
  let written: Written;
  try {
    written = await write(archives, snapshot, () => store.position().seq, startMs, options);
  } finally {
    await snapshot.close();
  }
  const { info, warnings } = written;
  await catalog.records();
  catalog.markVerified(info.id);
  await catalog.save();
  if (options.pin) await catalog.setPinned(info.id, true);
  if (!store.readOnly) await store.releaseHistory(info.position.seq);
  const retention = await retain(archives, warnings);
  const pinned = options.pin ?? false;
  const backup = { ...info, isIncremental: !!info.parent, parentId: info.parent?.id, pinned };
  return { backup, durationMs: clock.nowMs() - startMs, warnings, ...(retention && { retention }) };
}

/** @param startMs when the snapshot was asked for: changes made later may not be in it. */
async function write(
  { catalog, isSound, key, options, repository }: Archives,
  snapshot: LiveSnapshot,
  lastChange: () => number,
  startMs: number,
  given: CreateOptions,
): Promise<Written> {
  const records = await catalog.records();
  const newestMs = records.at(-1)?.createdAtMs ?? 0;
  const start = {
    id: newBackupId(),
    // Backups of one repository are ordered by it, also where the clock was set back.
    createdAtMs: Math.max(startMs, snapshot.timeMs, newestMs + 1),
    description: given.description ?? '',
    tags: given.tags ?? [],
    compression: options.compression,
  };
  const report = withTotal(reporter('backup', given), expectedEntries(records, snapshot));
  const ownKey = await key();
  const archive = { ...(ownKey && { key: ownKey }), ...(given.signal && { signal: given.signal }) };
  const writing = { repository, snapshot, lastChange, start, archive, report };
  if (!given.incremental) return { info: await writeFull(writing), warnings: [] };
  return await writeOnTop(writing, records, options, isSound);
}

/** How many entries a full backup is going to have, as far as can be told: counting them would take about as long as backing them up. */
const expectedEntries = (records: readonly BackupRecord[], { storeId }: LiveSnapshot): number | undefined =>
  records.findLast(
    ({ isIncremental, damage, sealed, position }) =>
      !isIncremental && damage === undefined && !sealed && position.storeId === storeId,
  )?.entryCount;

/** Tells it as the total of the entries, as long as there are no more. */
const withTotal =
  (report: Report, expected: number | undefined): Report =>
  (step) => {
    const isKnown = step.phase === 'entries' && expected !== undefined && (step.done ?? 0) <= expected;
    report(isKnown ? { ...step, total: expected } : step);
  };

/** The backup is made: that cleaning up failed is worth a warning, not an error. */
async function retain(archives: Archives, warnings: string[]): Promise<CleanupResult | undefined> {
  const { maxBackups, maxAgeSeconds } = archives.options.retention;
  if (maxBackups === 0 && maxAgeSeconds === 0) return undefined;
  try {
    return await cleanUp(archives, false);
  } catch (error) {
    warnings.push(`Old backups could not be removed: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}
