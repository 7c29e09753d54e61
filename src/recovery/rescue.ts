import type { ArchiveRecord } from '../backup/archive-contents.js';
import type { BackupManager } from '../backup/manager.js';
import { abortable, type Report, reporter } from '../backup/operation.js';
import { isOnPath, pathBetween, type SeqRange, type TurnBack, turnOf } from '../backup/path.js';
import type { BackupRecord, EntryName, LostRange, OperationOptions } from '../backup/types.js';
import { LlmspellError } from '../errors.js';
import { decodeKey } from '../state/key.js';
import type { Change, StateStore } from '../state/types.js';

/** Entries and changes. */
const FLUSH_EVERY = 20_000;

export interface RescueOptions extends OperationOptions {
  /** Where to put what can still be read: an empty state. */
  into: StateStore;
  /** Called for each entry of the rescued state, in byte order. */
  onEntry?: (entry: EntryName & { sizeBytes: number }) => void;
}

/** One archive of the chain, as far as it could be read. */
export interface RescuedArchive {
  id: string;
  isIncremental: boolean;
  /** Entries or changes it had; undefined where it no longer tells. */
  recordCount: number | undefined;
  rescuedCount: number;
  /** What is known of those that are lost; undefined where nothing is. */
  lost: LostRange[] | undefined;
  problems: string[];
}

export interface RescueResult {
  backupId: string;
  /** Whether nothing at all is wrong. */
  isComplete: boolean;
  /** Base first, as far as they are there. */
  archives: RescuedArchive[];
  /** Of the rescued state. */
  entryCount: number;
  durationMs: number;
  /** What this means for the rescued state. */
  warnings: string[];
}

/**
 * Puts together what can still be read of a damaged backup and of all it rests on: every entry of the base that is in a sound chunk, then every
 * such change. Nothing of the backups is changed. Throws as `BackupManager.find`, `BACKUP_KEY`, and `ABORTED`.
 *
 * @param reference an id, the beginning of one, or `latest`.
 */
export async function rescue(backups: BackupManager, reference: string, options: RescueOptions): Promise<RescueResult> {
  const startMs = Date.now();
  return await abortable('The rescue', options.signal, async () => {
    const { records, problems } = await backups.remains(reference);
    const head = records.at(-1)!;
    const archives: RescuedArchive[] = [];
    for (const record of records) archives.push(await rescueOne(backups, record, options));
    // What is wrong with an archive itself has been told by reading it.
    const links = problems
      .filter(({ id }) => records.every((record) => record.id !== id))
      .map(({ message }) => message);
    const entryCount = await tellEntries(options);
    return {
      backupId: head.id,
      isComplete: links.length === 0 && archives.every((archive) => archive.problems.length === 0),
      archives,
      entryCount,
      durationMs: Date.now() - startMs,
      warnings: [...links, ...consequences(archives)],
    };
  });
}

async function rescueOne(
  backups: BackupManager,
  record: BackupRecord,
  { into, signal, ...options }: RescueOptions,
): Promise<RescuedArchive> {
  const report = reporter('rescue', options);
  const watching = signal ? { signal } : {};
  const path = record.isIncremental ? await pathOf(backups, record, watching) : undefined;
  const problems: string[] = [];
  let [rescuedCount, flushedCount] = [0, 0];
  for await (const piece of backups.salvage(record.id, watching)) {
    if ('problem' in piece) {
      if (piece.problem.kind === 'key')
        throw new LlmspellError('BACKUP_KEY', piece.problem.message, { subject: record.id });
      problems.push(piece.problem.message);
      continue;
    }
    rescuedCount += piece.records.length;
    const changes = piece.records.flatMap((some) => changeOf(some, path));
    if (changes.length > 0) await into.write(changes);
    // What is written waits in memory until it is on disk.
    if (rescuedCount - flushedCount > FLUSH_EVERY) {
      await into.flush();
      flushedCount = rescuedCount;
    }
    tell(report, record.id, rescuedCount);
  }
  const recordCount = record.damage === undefined ? record.recordCount : undefined;
  const lost = problems.length > 0 ? await backups.lost(record.id, watching) : [];
  return { id: record.id, isIncremental: record.isIncremental, recordCount, rescuedCount, lost, problems };
}

const tell = (report: Report, backupId: string, done: number): void =>
  report({ phase: 'rescue', backupId, done, message: `${done} entries and changes read` });

/** Which of its changes count, as far as the restores between them can still be read. */
async function pathOf(
  backups: BackupManager,
  { id, position, parent }: BackupRecord,
  watching: OperationOptions,
): Promise<readonly SeqRange[]> {
  const turns: TurnBack[] = [];
  let last = position.seq;
  for await (const piece of backups.salvage(id, watching)) {
    if ('problem' in piece) continue;
    for (const record of piece.records) {
      if (!('seq' in record)) continue;
      last = Math.max(last, record.seq);
      const turn = turnOf(record, position.storeId);
      if (turn) turns.push(turn);
    }
  }
  return pathBetween(parent?.fromSeq ?? 0, last, turns);
}

function changeOf(record: ArchiveRecord, path: readonly SeqRange[] | undefined): Change[] {
  if ('rewind' in record) return [];
  if ('scope' in record) {
    const { scope, key, value } = record;
    return !path || isOnPath(record.seq, path) ? [{ scope, key, value }] : [];
  }
  return [{ ...decodeKey(record.key)!, value: record.value }];
}

async function tellEntries({ into, onEntry }: RescueOptions): Promise<number> {
  const snapshot = await into.snapshot();
  let count = 0;
  try {
    for await (const page of snapshot.entries()) {
      count += page.length;
      for (const { key, value } of onEntry ? page : []) onEntry!({ ...decodeKey(key)!, sizeBytes: value.length });
    }
  } finally {
    await snapshot.close();
  }
  return count;
}

function consequences(archives: readonly RescuedArchive[]): string[] {
  const older = archives.filter(({ isIncremental, problems }) => isIncremental && problems.length > 0);
  if (older.length === 0) return [];
  return [
    `Entries may be older than the backup: not all changes of ${older.map(({ id }) => id).join(', ')} can be read.`,
  ];
}
