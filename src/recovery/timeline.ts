import type { BackupManager } from '../backup/manager.js';
import { abortable, reporter } from '../backup/operation.js';
import type { BackupRecord, OperationOptions } from '../backup/types.js';
import type { StateStore } from '../state/types.js';
import { type Bytes, latin1Of } from '../util/bytes.js';
import { ChangeCounter, type CountedStretch } from './change-counter.js';
import { type LiveHistory, planner } from './plan.js';

/** What happened to a state and when, with the backups that were made of it and what a restore to each moment would do. */
export interface Timeline {
  /** From the first change or backup that is known to the last one, whole buckets. */
  fromMs: number;
  toMs: number;
  /** Length of a bucket: from one second on, as the span allows it. */
  bucketMs: number;
  /** The busiest, busiest first; what happened in all others is counted together, as the last number of `byScope`. */
  scopes: Bytes[];
  /** One after the other, without gaps. Empty where nothing is known to have happened. */
  buckets: TimelineBucket[];
  /** When the state was taken back, and to what. */
  restores: { timeMs: number; description: string }[];
  /** Oldest first; those whose header cannot be read are left out. */
  backups: BackupRecord[];
  /** What could not be read, a sentence each. */
  warnings: string[];
}

export interface TimelineBucket {
  startMs: number;
  sets: number;
  deletes: number;
  /** Changes of each of `Timeline.scopes`, then of all others. */
  byScope: number[];
  /** How the state as it was at the end of the bucket can be had. */
  way: RestoreWay;
}

export type RestoreWay =
  | { from: 'history' }
  | { from: 'backups'; chain: string[]; sizeBytes: number }
  | { from: 'nowhere'; reason: string };

/** What a timeline is made from; without a store from the archives alone. */
export interface TimelineSources {
  backups: BackupManager;
  store?: StateStore;
}

const MOST_BUCKETS = 240;
const MOST_SCOPES = 6;
const DAY_SECONDS = 86_400;
/** Seconds. Where the changes span more than a few hours they are counted by minute (`ChangeCounter`), and the buckets are longer than that. */
const LENGTHS = [
  1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800,
];

/**
 * Counts the changes that the history and the incremental backups tell of. Reads all of the history kept, and of the archives those
 * whose changes it no longer has. Throws as `StateStore.snapshot` and `BackupManager.list`, and `ABORTED`.
 */
export async function timelineOf(sources: TimelineSources, options: OperationOptions = {}): Promise<Timeline> {
  return await abortable('The timeline', options.signal, async () => {
    const all = await sources.backups.list();
    const records = all.filter(({ createdAtMs }) => createdAtMs > 0);
    const counter = new ChangeCounter();
    const live = sources.store && (await countHistory(sources.store, counter, options));
    const undated = all.filter(({ createdAtMs }) => createdAtMs === 0);
    const warnings = undated.map(({ id, damage = '' }) => `Backup ${id} is left out: ${damage}`);
    await countArchives(sources.backups, records, live, counter, warnings, options);
    return { ...layOut(counter, records, live), restores: counter.restores, backups: records, warnings };
  });
}

async function countHistory(store: StateStore, counter: ChangeCounter, options: OperationOptions) {
  const snapshot = await store.snapshot();
  const report = reporter('backup', options);
  try {
    const { historyStart, seq } = snapshot;
    for await (const page of snapshot.changesSince(historyStart)) {
      options.signal?.throwIfAborted();
      counter.add(page, store.storeId);
      const done = (page.at(-1)?.seq ?? historyStart) - historyStart;
      report({ phase: 'history', done, total: seq - historyStart, message: 'Reading the history' });
    }
    return { storeId: store.storeId, historyStart, seq };
  } finally {
    await snapshot.close();
  }
}

/** Each change once: archives may overlap, and the history has the newest ones. */
async function countArchives(
  backups: BackupManager,
  records: readonly BackupRecord[],
  live: LiveHistory | undefined,
  counter: ChangeCounter,
  warnings: string[],
  options: OperationOptions,
): Promise<void> {
  const counted = new Map<string, number>();
  const readable = records.filter(({ parent, sealed, damage }) => parent && !sealed && damage === undefined);
  for (const { id, parent, position } of readable.toSorted((a, b) => a.parent!.fromSeq - b.parent!.fromSeq)) {
    const { storeId, seq } = position;
    const after = Math.max(counted.get(storeId) ?? 0, parent!.fromSeq);
    const before = storeId === live?.storeId ? live.historyStart : Number.POSITIVE_INFINITY;
    if (seq <= after || after >= before) continue;
    try {
      await countArchive(backups, id, { storeId, after, before }, counter, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      warnings.push(`The changes in backup ${id} are left out: ${error instanceof Error ? error.message : error}`);
    }
    counted.set(storeId, seq);
  }
}

async function countArchive(
  backups: BackupManager,
  id: string,
  { storeId, after, before }: { storeId: string; after: number; before: number },
  counter: ChangeCounter,
  options: OperationOptions,
): Promise<void> {
  const reader = await backups.open(id, options);
  const report = reporter('backup', options);
  try {
    for await (const page of reader.changes()) {
      counter.add(
        page.filter(({ seq }) => seq > after && seq <= before),
        storeId,
      );
      report({ phase: 'archives', backupId: id, message: 'Reading the archives' });
    }
  } finally {
    await reader.close();
  }
}

type Layout = Pick<Timeline, 'fromMs' | 'toMs' | 'bucketMs' | 'scopes' | 'buckets'>;

function layOut(counter: ChangeCounter, records: readonly BackupRecord[], live: LiveHistory | undefined): Layout {
  const stretches = counter.stretches();
  const times = [...stretches.map(({ startMs }) => startMs), ...records.map(({ createdAtMs }) => createdAtMs)];
  const scopes = counter.busiestScopes(MOST_SCOPES);
  if (times.length === 0) return { fromMs: 0, toMs: 0, bucketMs: 60_000, scopes, buckets: [] };
  const [firstMs, lastMs] = times.reduce(([least, most], time) => [Math.min(least, time), Math.max(most, time)], [
    Number.POSITIVE_INFINITY,
    0,
  ] as [number, number]);
  const bucketMs = bucketLength(lastMs - firstMs);
  const fromMs = floor(firstMs, bucketMs);
  const toMs = floor(lastMs, bucketMs) + bucketMs;
  const buckets = emptyBuckets(fromMs, toMs, bucketMs, scopes.length + 1);
  const columns = new Map(scopes.map((scope, i) => [latin1Of(scope), i]));
  for (const stretch of stretches)
    addStretch(buckets[(floor(stretch.startMs, bucketMs) - fromMs) / bucketMs]!, stretch, columns);
  return { fromMs, toMs, bucketMs, scopes, buckets: withWays(buckets, stretches, bucketMs, records, live) };
}

const floor = (timeMs: number, step: number): number => timeMs - (timeMs % step);

function bucketLength(spanMs: number): number {
  const seconds = LENGTHS.find((length) => spanMs / (length * 1000) < MOST_BUCKETS - 1);
  return (seconds ?? Math.ceil(spanMs / 1000 / (MOST_BUCKETS - 1) / DAY_SECONDS) * DAY_SECONDS) * 1000;
}

type Unplanned = Omit<TimelineBucket, 'way'>;

const emptyBuckets = (fromMs: number, toMs: number, bucketMs: number, columns: number): Unplanned[] =>
  Array.from({ length: (toMs - fromMs) / bucketMs }, (_, i) => ({
    startMs: fromMs + i * bucketMs,
    sets: 0,
    deletes: 0,
    byScope: Array.from({ length: columns }, () => 0),
  }));

/** @param columns where the changes of a scope are counted; those of one that is not there, behind the last of them */
function addStretch(bucket: Unplanned, stretch: CountedStretch, columns: ReadonlyMap<string, number>): void {
  bucket.sets += stretch.sets;
  bucket.deletes += stretch.deletes;
  for (const [scope, count] of stretch.byScope) bucket.byScope[columns.get(scope) ?? columns.size]! += count;
}

function withWays(
  buckets: readonly Unplanned[],
  stretches: readonly CountedStretch[],
  bucketMs: number,
  records: readonly BackupRecord[],
  live: LiveHistory | undefined,
): TimelineBucket[] {
  const plan = planner(records, live);
  const own = stretches.filter(({ storeId }) => storeId === live?.storeId);
  const sizes = new Map(records.map(({ id, sizeBytes }) => [id, sizeBytes]));
  let at = 0;
  let seq: number | undefined;
  return buckets.map((bucket) => {
    const endMs = bucket.startMs + bucketMs - 1;
    for (; at < own.length && own[at]!.startMs <= endMs; at++) seq = own[at]!.lastSeq;
    return { ...bucket, way: wayOf(plan({ timeMs: endMs, ...(seq !== undefined && { seq }) }), sizes) };
  });
}

function wayOf(plan: ReturnType<ReturnType<typeof planner>>, sizes: ReadonlyMap<string, number>): RestoreWay {
  if ('unreachable' in plan) return { from: 'nowhere', reason: plan.unreachable };
  if (plan.history) return { from: 'history' };
  const chain = plan.chain.map(({ id }) => id);
  return { from: 'backups', chain, sizeBytes: chain.reduce((sum, id) => sum + (sizes.get(id) ?? 0), 0) };
}
