import { type Bytes, bytesOfLatin1, latin1Of } from '../util/bytes.js';
import type { BackendOperation, Segment, StateBackend } from './backend.js';
import { type Catalog, type Horizon, putHorizon, type Timeline } from './catalog.js';
import { readHeader, readSegment, sealedOf } from './history.js';
import { concat, floorPrefix } from './layout.js';

/** Trimmed together, in memory at once. */
const STEP_BYTES = 4 << 20;

export interface TrimPlan {
  /** Whether this segment, the oldest one kept, is to go; `freedBytes` go with those before it. */
  isTrimmed(segment: Segment, freedBytes: number): boolean;
  /** Whether the values that only the trimmed history holds stay reachable for `at` (`past.ts`). */
  keepFloor: boolean;
}

/**
 * Removes the oldest history, step by step: first what has to stay of it goes into the floor, together with the new horizon, then
 * the segments go. Killed in between, segments below the horizon are left over, which the next trimming removes.
 */
export async function trimHistory(
  backend: StateBackend,
  catalog: Catalog,
  horizon: Horizon,
  plan: TrimPlan,
  advance: (horizon: Horizon, freedBytes: number) => void,
): Promise<void> {
  let step: Segment[] = [];
  let stepBytes = 0;
  let freedBytes = 0;
  let { hasFloor } = horizon;
  const trimStep = async () => {
    const last = step.at(-1);
    if (last === undefined) return;
    const floor = plan.keepFloor ? floorOperations(catalog, step) : undefined;
    hasFloor &&= floor !== undefined;
    const next = { seq: last.lastSeq, timeMs: readHeader(last).lastTimeMs, hasFloor };
    await backend.commit({ operations: [...(floor ?? []), putHorizon(next)] }, { sync: false });
    advance(next, await backend.trimChanges(next.seq));
    step = [];
    stepBytes = 0;
  };
  for await (const segment of backend.changesSince(horizon.seq)) {
    if (!plan.isTrimmed(segment, freedBytes)) break;
    step.push(segment);
    stepBytes += segment.bytes.length;
    freedBytes += segment.bytes.length;
    if (stepBytes >= STEP_BYTES) await trimStep();
  }
  await trimStep();
}

/**
 * The newest values of what the segments change, as the floor of their timelines keeps them; undefined where one is damaged,
 * which must not keep the history from being trimmed.
 */
function floorOperations(catalog: Catalog, segments: readonly Segment[]): BackendOperation[] | undefined {
  try {
    return newestValues(catalog, segments);
  } catch {
    return undefined;
  }
}

function newestValues(catalog: Catalog, segments: readonly Segment[]): BackendOperation[] {
  const values = new Map<Timeline, Map<string, Bytes | null>>();
  for (const segment of segments) {
    const timeline = timelineOf(catalog, segment);
    if (timeline === undefined) continue;
    const newest = values.get(timeline) ?? new Map<string, Bytes | null>();
    values.set(timeline, newest);
    for (const record of readSegment(segment)) newest.set(latin1Of(record.raw), sealedOf(record));
  }
  return [...values].flatMap(([{ id }, newest]) => [...newest].map((entry) => floorOperation(floorPrefix(id), entry)));
}

function floorOperation(prefix: Bytes, [name, sealed]: [string, Bytes | null]): BackendOperation {
  const key = concat(prefix, bytesOfLatin1(name));
  return sealed === null ? { type: 'del', key } : { type: 'put', key, value: sealed };
}

/** The stored timeline that the changes belong to; those of a swap itself belong to none. */
const timelineOf = ({ timelines }: Catalog, { firstSeq, lastSeq }: Segment): Timeline | undefined =>
  timelines.find(({ startSeq, endSeq = Number.POSITIVE_INFINITY }) => startSeq < firstSeq && lastSeq <= endSeq);
