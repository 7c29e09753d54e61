import {
  type Catalog,
  type Garbage,
  liveTimeline,
  type StoredRollbackPoint,
  type Timeline,
  withMark,
} from './catalog.js';
import { schemaVersionAt } from './schema-version.js';
import type { ActivatedGeneration } from './types.js';

/** Rollback points: the newest so many, and none older. */
const MAX_POINTS = 3;
const MAX_POINT_AGE_MS = 7 * 24 * 3600 * 1000;

interface Moment {
  seq: number;
  timeMs: number;
}

/** What a swap of generations does to the catalog. */
export interface Swap {
  /** Becomes the live one. */
  generation: number;
  /** The last change of the old timeline, and the one that the new timeline begins with. */
  from: Moment;
  to: Moment;
  description: string;
  keepOld: boolean;
  restoredFrom: Catalog['restoredFrom'];
  /** Of the schema of what becomes the live one. */
  schemaVersion: string | undefined;
}

/** The catalog after the swap, and what its caller is told. */
export function swapped(catalog: Catalog, swap: Swap): { catalog: Catalog; result: ActivatedGeneration } {
  const old = liveTimeline(catalog);
  const { from, to, generation } = swap;
  const timeline: Timeline = {
    id: Math.max(...catalog.timelines.map(({ id }) => id)) + 1,
    generation,
    startSeq: to.seq,
    startTimeMs: to.timeMs,
  };
  const marks = catalog.schemaMarks ?? [];
  const oldVersion = schemaVersionAt(marks, from.seq);
  const point: StoredRollbackPoint = {
    id: `rollback-${from.seq}`,
    seq: from.seq,
    timeMs: from.timeMs,
    createdAtMs: to.timeMs,
    description: swap.description,
    generation: old.generation,
    ...(oldVersion !== undefined && { schemaVersion: oldVersion }),
  };
  const others = catalog.rollbackPoints.filter((kept) => kept.generation !== generation);
  const { restoredFrom: _, ...rest } = catalog;
  const nextMarks = withMark(marks, to.seq, swap.schemaVersion);
  const next: Catalog = {
    ...rest,
    ...(nextMarks.length > 0 && { schemaMarks: nextMarks }),
    ...(swap.restoredFrom === undefined ? {} : { restoredFrom: swap.restoredFrom }),
    timelines: [...catalog.timelines.slice(0, -1), { ...old, endSeq: from.seq }, timeline],
    rollbackPoints: swap.keepOld ? [point, ...others] : others,
    garbage: catalog.garbage.filter((garbage) => !('generation' in garbage) || garbage.generation !== generation),
  };
  return {
    catalog: pruned(next, to.timeMs),
    result: { seq: to.seq, ...(swap.keepOld ? { rollbackId: point.id } : {}) },
  };
}

/** Lets go of rollback points that are too many or too old, and of every generation that nothing points to; itself where there are none. */
export function pruned(catalog: Catalog, nowMs: number): Catalog {
  const rollbackPoints = catalog.rollbackPoints
    .filter(({ createdAtMs }) => createdAtMs > nowMs - MAX_POINT_AGE_MS)
    .slice(0, MAX_POINTS);
  const kept = new Set([liveTimeline(catalog), ...rollbackPoints].map(({ generation }) => generation));
  const gone = catalog.timelines.filter(({ generation }) => !kept.has(generation));
  if (gone.length === 0 && rollbackPoints.length === catalog.rollbackPoints.length) return catalog;
  const generations = new Set([...gone, ...catalog.rollbackPoints].map(({ generation }) => generation));
  const garbage: Garbage[] = [
    ...catalog.garbage,
    ...[...generations].filter((generation) => !kept.has(generation)).map((generation) => ({ generation })),
    ...gone.map(({ id }) => ({ timeline: id })),
  ];
  return { ...catalog, rollbackPoints, timelines: catalog.timelines.filter((one) => !gone.includes(one)), garbage };
}

/** A timeline that begins now, on the same generation; those before it are over for good. */
export function restarted(catalog: Catalog, { seq, timeMs }: Moment): Catalog {
  const { id, generation } = liveTimeline(catalog);
  return {
    ...catalog,
    timelines: [{ id: id + 1, generation, startSeq: seq, startTimeMs: timeMs }],
    garbage: [...catalog.garbage, ...catalog.timelines.map((timeline) => ({ timeline: timeline.id }))],
  };
}
