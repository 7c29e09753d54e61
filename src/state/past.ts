import { LlmspellError } from '../errors.js';
import { type Bytes, bytesOfLatin1, latin1Of } from '../util/bytes.js';
import type { BackendOperation, BackendView, Segment } from './backend.js';
import { type Documents, liveTimeline, type Timeline } from './catalog.js';
import { type EntrySource, entriesUnder } from './entries.js';
import { readHeader, readSegment, recordsSince, sealedOf, segmentsBackward, toHistoryRecord } from './history.js';
import { concat, floorPrefix, generationPrefix, unseal } from './layout.js';
import { type Overlay, overlaid } from './overlay.js';

/** Nothing lies in its floor: the numbers of timelines begin with 1. */
const NO_TIMELINE = 0;

/**
 * The state as it was after a change, exactly, or `HISTORY_UNREACHABLE`.
 *
 * Going back: a generation that is still stored is taken as it is, and every key that was changed in it since gets the value
 * that it had then: that of its last change up to then, or else its value in the floor, or else none. The *floor* of a timeline
 * holds values that the history kept does not: of keys in what was trimmed, as they were where the history kept begins; and,
 * in a timeline that did not begin empty (after a swap), of each key as it was before its first change. So it costs what the
 * number of changes since then costs, whatever the size of the state; the changed keys' values are held in memory.
 *
 * Going forward, where the generation is gone: the changes from the beginning of history on, without those that a restore gave
 * up. Possible where history begins with an empty state or with the floor of the first timeline, and no restore on the way came
 * from outside the history kept.
 */
export async function pastSource(view: BackendView, documents: Documents, seq: number): Promise<EntrySource> {
  const { catalog, head, horizon } = documents;
  const { storeId, timelines } = catalog;
  if (seq > head.seq) throw unreachable(`Change ${seq} has not happened: the last one is ${head.seq}.`);
  if (!horizon.hasFloor)
    throw unreachable('The history kept was cut while it was switched off: no past state can be had.');
  if (seq < horizon.seq) throw tooEarly(seq, horizon.seq, horizon.timeMs);
  const at = timelines.findIndex(({ startSeq, endSeq = head.seq }) => startSeq <= seq && seq <= endSeq);
  const timeline = timelines[at];
  if (timeline !== undefined) {
    const later = timelines.slice(at + 1).filter(({ generation }) => generation === timeline.generation);
    return await goBack(view, documents, timeline, later, seq);
  }
  const floor = completeFloor(documents);
  const path = floor && (await pathTo(view, storeId, horizon.seq, seq));
  if (path === undefined) {
    const { startSeq, startTimeMs } = liveTimeline(catalog);
    throw tooEarly(seq, startSeq, startTimeMs);
  }
  return overlaid(entriesUnder(view, floor!), await replay(view, path));
}

/** Where the whole state lies as it was where history begins; undefined where it does not. */
function completeFloor({ catalog, horizon }: Documents): Bytes | undefined {
  if (horizon.seq === 0) return floorPrefix(NO_TIMELINE);
  const first = catalog.timelines[0]!;
  const isFirst = first.startSeq === 0 && horizon.seq <= (first.endSeq ?? horizon.seq);
  return isFirst ? floorPrefix(first.id) : undefined;
}

/** When change `seq` was made. */
export async function timeOf(view: BackendView, { horizon, head }: Documents, seq: number): Promise<number> {
  if (seq === head.seq) return head.timeMs;
  if (seq <= horizon.seq) return horizon.timeMs;
  for await (const page of recordsSince(view, seq - 1)) return page[0]!.timeMs;
  return head.timeMs;
}

/** The last change at or before a time, found by halving. */
export async function seqAt(view: BackendView, { horizon, head }: Documents, timeMs: number): Promise<number> {
  if (timeMs >= head.timeMs) return head.seq;
  if (timeMs < horizon.timeMs) throw beforeHistory(`The time ${iso(timeMs)}`, horizon.seq, horizon.timeMs);
  let low = horizon.seq;
  let high = head.seq;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const segment = await firstSegmentAfter(view, middle);
    if (segment === undefined) return low;
    const { firstSeq, firstTimeMs, lastTimeMs } = readHeader(segment);
    if (firstTimeMs > timeMs) high = Math.max(low, firstSeq - 1);
    else if (lastTimeMs <= timeMs) low = segment.lastSeq;
    else return readSegment(segment).findLast((record) => record.timeMs <= timeMs)!.seq;
  }
  return low;
}

async function goBack(
  view: BackendView,
  { head, horizon }: Documents,
  timeline: Timeline,
  later: readonly Timeline[],
  seq: number,
): Promise<EntrySource> {
  const overlay = new Map<string, Bytes | null>();
  const undo = async (one: Timeline, to: number) => {
    const changed = await changedKeys(view, to, one.endSeq ?? head.seq);
    const from = Math.max(one.startSeq, horizon.seq);
    for (const [name, sealed] of await valuesAt(view, changed, { timeline: one, from, to })) overlay.set(name, sealed);
  };
  // Newest first: what an earlier one says of a key counts.
  for (const one of later.toReversed()) await undo(one, one.startSeq);
  await undo(timeline, seq);
  return overlaid(entriesUnder(view, generationPrefix(timeline.generation)), overlay);
}

/** The keys of the changes above `from`, up to `to`. */
async function changedKeys(view: BackendView, from: number, to: number): Promise<Set<string>> {
  const names = new Set<string>();
  if (from >= to) return names;
  for await (const page of recordsSince(view, from)) {
    if (page[0]!.seq > to) break;
    for (const { raw } of page) names.add(latin1Of(raw));
  }
  return names;
}

interface Stretch {
  timeline: Timeline;
  from: number;
  to: number;
}

/** What each of the keys was after change `to`. Takes them out of `names` as it finds them. */
async function valuesAt(view: BackendView, names: Set<string>, { timeline, from, to }: Stretch): Promise<Overlay> {
  const values = new Map<string, Bytes | null>();
  if (names.size === 0) return values;
  for await (const segment of segmentsBackward(view, from, await endOfSegment(view, to))) {
    for (const record of readSegment(segment).reverse()) {
      const name = latin1Of(record.raw);
      if (record.seq > to || record.seq <= from || !names.delete(name)) continue;
      values.set(name, sealedOf(record));
    }
    if (names.size === 0) return values;
  }
  const rest = [...names];
  const floor = floorPrefix(timeline.id);
  const sealed = await view.getMany(rest.map((name) => concat(floor, bytesOfLatin1(name))));
  for (const [i, name] of rest.entries()) values.set(name, sealed[i] ?? null);
  return values;
}

/** Where the segment that holds change `seq` ends. */
const endOfSegment = async (view: BackendView, seq: number): Promise<number> =>
  (await firstSegmentAfter(view, seq - 1))?.lastSeq ?? seq;

async function firstSegmentAfter(view: BackendView, seq: number): Promise<Segment | undefined> {
  for await (const segment of view.changesSince(seq)) return segment;
  return undefined;
}

interface Path {
  from: number;
  to: number;
}

/** The stretches of changes that lead from `from` to `to`, ascending; undefined where a restore came from elsewhere. */
async function pathTo(view: BackendView, storeId: string, from: number, to: number): Promise<Path[] | undefined> {
  const turns: { seq: number; toSeq: number }[] = [];
  for await (const page of recordsSince(view, from)) {
    const [first] = page;
    if (first!.seq > to) break;
    if (first!.kind !== 'rewind') continue;
    const record = toHistoryRecord(first!);
    if ('rewind' in record) {
      const { storeId: source, toSeq } = record.rewind;
      turns.push({ seq: record.seq, toSeq: source === storeId ? toSeq : -1 });
    }
  }
  const path: Path[] = [];
  let end = to;
  for (const { seq, toSeq } of turns.reverse()) {
    if (seq > end) continue;
    if (toSeq < from) return undefined;
    path.unshift({ from: seq, to: end });
    end = toSeq;
  }
  return [{ from, to: end }, ...path];
}

async function replay(view: BackendView, path: readonly Path[]): Promise<Overlay> {
  const values = new Map<string, Bytes | null>();
  for (const { from, to } of path) {
    for await (const page of recordsSince(view, from)) {
      if (page[0]!.seq > to) break;
      for (const record of page)
        if (record.seq <= to && record.kind !== 'rewind') values.set(latin1Of(record.raw), sealedOf(record));
    }
  }
  return values;
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString();

export const unreachable = (message: string): LlmspellError => new LlmspellError('HISTORY_UNREACHABLE', message);

const beforeHistory = (what: string, seq: number, timeMs: number): LlmspellError =>
  unreachable(`${what} is before the history kept, which reaches back to ${iso(timeMs)} (change ${seq}).`);

const tooEarly = (seq: number, earliestSeq: number, timeMs: number): LlmspellError =>
  beforeHistory(`Change ${seq}`, earliestSeq, timeMs);

/**
 * The entries that these raw keys are about to overwrite, for the floor: those that the timeline began with. Others are in
 * history.
 */
export async function floorOfFirstChanges(
  view: BackendView,
  { id, generation, startSeq }: Timeline,
  raws: readonly Bytes[],
): Promise<BackendOperation[]> {
  const prefix = generationPrefix(generation);
  const floor = floorPrefix(id);
  const stored = await sealedOrDamaged(
    view,
    raws.map((raw) => concat(prefix, raw)),
  );
  return stored.flatMap((value, i) => {
    const raw = raws[i]!;
    if (value === undefined) return [];
    // A damaged one goes there as it is: whoever looks for it is told.
    const isFirstChange = (unseal(raw, value)?.seq ?? 0) <= startSeq;
    return isFirstChange ? [{ type: 'put' as const, key: concat(floor, raw), value }] : [];
  });
}

/** What cannot be read is a value of no bytes, which is as damaged. */
async function sealedOrDamaged(view: BackendView, keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
  try {
    return await view.getMany(keys);
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  const get = async (key: Bytes) => {
    try {
      return await view.get(key);
    } catch (error) {
      if (!isDamage(error)) throw error;
      return NO_BYTES;
    }
  };
  return await Promise.all(keys.map(get));
}

const NO_BYTES: Bytes = new Uint8Array(0);

const isDamage = (error: unknown): boolean => error instanceof LlmspellError && error.code === 'STATE_DAMAGED';
