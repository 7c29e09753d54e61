import { chainOf, type Records, recordsById, sizeOf } from '../backup/chain.js';
import type { BackupRecord } from '../backup/types.js';
import type { RecoveryPlan } from './types.js';

/** A moment to go back to: a time, and which change of the present state was the last one then, where its history still tells. */
export interface Moment {
  timeMs?: number;
  seq?: number;
}

/** What the present state says of itself. */
export interface LiveHistory {
  storeId: string;
  /** Moments from this change on can be had from the history. */
  historyStart: number;
  /** Its latest change. */
  seq: number;
}

export interface Unreachable {
  unreachable: string;
}

/** The plan for a backup: its chain. */
export const planOfChain = (
  chain: readonly BackupRecord[],
  target: RecoveryPlan['target'] = chain.at(-1)!.position,
): RecoveryPlan => ({
  chain: chain.map(({ id, isIncremental, createdAtMs, sizeBytes, recordCount }) => ({
    id,
    isIncremental,
    createdAtMs,
    sizeBytes,
    recordCount,
  })),
  target,
});

/** As `planner`, for one moment. */
export const planMoment = (
  moment: Moment,
  records: readonly BackupRecord[],
  live: LiveHistory | undefined,
): RecoveryPlan | Unreachable => planner(records, live)(moment);

/**
 * How to get the state of a moment, or why it cannot be had; pure. Archives come first, since they do not depend on the state that
 * may be the trouble: one whose changes begin before the moment and end after it, on a chain without a fault. Then the history.
 *
 * @param live the present state; absent where there is none to go by, then archives of any state count.
 */
export function planner(
  records: readonly BackupRecord[],
  live: LiveHistory | undefined,
): (moment: Moment) => RecoveryPlan | Unreachable {
  const byId = recordsById(records);
  const readable = records.filter((record) => record.damage === undefined && !record.sealed);
  const sound = readable.filter((record) => chainOf(record, byId).problems.length === 0);
  const own = sound.filter((record) => record.position.storeId === live?.storeId);
  return (moment) => {
    // A time before the first change of this state is one that only archives can tell of, of the state that it takes the place of.
    // Without one that is refused: whoever asks for the past of a state that was lost is not helped by an empty one.
    const found =
      moment.seq === 0 && moment.timeMs !== undefined
        ? byTime(moment.timeMs, sound, byId)
        : (byChange(moment.seq, own, byId) ?? fromHistory(moment, live) ?? outsideHistory(moment, own, sound, byId));
    if (!found) return { unreachable: whyNot(moment, sound, live) };
    return moment.timeMs === undefined ? found : { ...found, target: { ...found.target, timeMs: moment.timeMs } };
  };
}

/** The cheapest chain whose last archive ends at the change or has it among its own. */
function byChange(seq: number | undefined, own: readonly BackupRecord[], byId: Records): RecoveryPlan | undefined {
  if (seq === undefined) return undefined;
  const chains = own
    .filter(({ position, parent }) => position.seq === seq || (parent && parent.fromSeq <= seq && seq < position.seq))
    .map((record) => chainOf(record, byId).records)
    .sort((a, b) => sizeOf(a) - sizeOf(b));
  const chain = chains[0];
  if (!chain) return undefined;
  const { position } = chain.at(-1)!;
  return planOfChain(chain, position.seq === seq ? position : { storeId: position.storeId, seq });
}

function fromHistory({ seq }: Moment, live: LiveHistory | undefined): RecoveryPlan | undefined {
  if (!live || seq === undefined || seq < live.historyStart || seq > live.seq) return undefined;
  const { storeId, historyStart } = live;
  return { chain: [], history: { fromSeq: historyStart, toSeq: seq }, target: { storeId, seq } };
}

function outsideHistory(
  { seq, timeMs }: Moment,
  own: readonly BackupRecord[],
  sound: readonly BackupRecord[],
  byId: Records,
): RecoveryPlan | undefined {
  return seq === undefined ? (byTime(timeMs, own, byId) ?? byTime(timeMs, sound, byId)) : undefined;
}

/**
 * The newest archive that had begun by then, if it was not made before. An archive tells of the time from its first moment to its
 * making, since nothing happened between its last change and that.
 */
function byTime(timeMs: number | undefined, sound: readonly BackupRecord[], byId: Records): RecoveryPlan | undefined {
  if (timeMs === undefined) return undefined;
  const begun = sound.filter(({ parent, position }) => (parent?.fromTimeMs ?? position.timeMs) <= timeMs);
  const record = begun.findLast(({ createdAtMs }) => timeMs <= createdAtMs);
  if (!record) return undefined;
  const { storeId, seq, timeMs: lastMs } = record.position;
  const chain = chainOf(record, byId).records;
  return planOfChain(chain, timeMs >= lastMs ? { storeId, seq } : { storeId });
}

function whyNot({ timeMs, seq }: Moment, sound: readonly BackupRecord[], live: LiveHistory | undefined): string {
  const what = timeMs === undefined ? `change ${seq}` : new Date(timeMs).toISOString();
  const history = !live
    ? 'there is no history'
    : seq === 0
      ? 'this state began later'
      : 'the history kept begins after it';
  const at = timeMs ?? 0;
  const before = sound.findLast(({ createdAtMs }) => timeMs !== undefined && createdAtMs <= at);
  const after = sound.find(({ position }) => timeMs !== undefined && position.timeMs >= at);
  const near = [describe('before', before), describe('after', after)].filter((text) => text !== undefined);
  const nearest = near.length > 0 ? ` (${near.join('; ')})` : '';
  return `The state of ${what} cannot be had: ${history}, and no backup tells of that moment${nearest}.`;
}

const describe = (side: string, record: BackupRecord | undefined): string | undefined =>
  record && `the nearest ${side} it is ${record.id} of ${new Date(record.position.timeMs).toISOString()}`;
