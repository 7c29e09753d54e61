import type { LiveSnapshot } from '../state/types.js';
import { chainOf, type Records, recordsById } from './chain.js';
import type { BackupOptions, BackupRecord } from './types.js';

/** What an incremental backup rests on: a whole chain, and from which change on it has to tell. */
export interface Base {
  chain: BackupRecord[];
  parent: BackupRecord;
  fromSeq: number;
  fromTimeMs: number;
}

type Moment = Pick<LiveSnapshot, 'storeId' | 'historyStart' | 'restoredFrom'>;

/**
 * Chooses the parent of the next incremental backup, or says why there is none and a full one is needed; pure. The parent is the
 * newest backup that lies on the way the state has come: after a whole restore that is the restored one.
 *
 * @param atMostSeq only backups of moments up to this change: what comes after it was given up by going back to it.
 */
export function chooseBase(
  moment: Moment,
  records: readonly BackupRecord[],
  options: Pick<BackupOptions, 'fullIntervalSeconds' | 'maxChainLength'>,
  nowMs: number,
  atMostSeq = Number.POSITIVE_INFINITY,
): Base | { reason: string } {
  const start = newestOnTheWay(moment, records, atMostSeq);
  if (!('parent' in start)) return start;
  const byId = recordsById(records);
  const { records: chain, problems } = chainOf(start.parent, byId);
  const reason = problems[0]?.message ?? limitReached(chain, options, nowMs) ?? trimmed(start, moment);
  return reason === undefined ? { ...start, chain } : { reason };
}

function newestOnTheWay(
  { storeId, restoredFrom }: Moment,
  records: readonly BackupRecord[],
  atMostSeq: number,
): Omit<Base, 'chain'> | { reason: string } {
  const since = restoredFrom && restoredFrom.seq <= atMostSeq ? restoredFrom : undefined;
  const own = records
    .filter((record) => record.position.storeId === storeId && record.damage === undefined && !record.sealed)
    .filter(({ position }) => position.seq <= atMostSeq && position.seq >= (since?.seq ?? 0));
  const parent = own.reduce<BackupRecord | undefined>(
    (a, b) => (a && a.position.seq > b.position.seq ? a : b),
    undefined,
  );
  if (parent) return { parent, fromSeq: parent.position.seq, fromTimeMs: parent.position.timeMs };
  return since ? restoredBase(since, recordsById(records)) : { reason: noEarlier(storeId, records, atMostSeq) };
}

function restoredBase(
  restored: { backupId: string; seq: number; timeMs: number },
  records: Records,
): Omit<Base, 'chain'> | { reason: string } {
  const parent = records.get(restored.backupId);
  if (!parent) return { reason: `the restored backup ${restored.backupId} is no longer there` };
  return { parent, fromSeq: restored.seq, fromTimeMs: restored.timeMs };
}

function noEarlier(storeId: string, records: readonly BackupRecord[], atMostSeq: number): string {
  const own = records.filter((record) => record.position.storeId === storeId);
  // An archive that cannot be read at all does not tell whose it is.
  if (records.some(({ damage, position }) => damage !== undefined && ['', storeId].includes(position.storeId))) {
    return 'the earlier backups are damaged';
  }
  if (own.some((record) => record.sealed)) return 'the earlier backups are encrypted with another key';
  if (own.length > 0 && Number.isFinite(atMostSeq)) return 'the state was taken back to before its earlier backups';
  return 'there is no earlier backup of this state';
}

function limitReached(
  chain: readonly BackupRecord[],
  { fullIntervalSeconds, maxChainLength }: Pick<BackupOptions, 'fullIntervalSeconds' | 'maxChainLength'>,
  nowMs: number,
): string | undefined {
  if (chain.length >= maxChainLength) return `the chain has reached its greatest length of ${maxChainLength}`;
  const ageSeconds = (nowMs - chain[0]!.createdAtMs) / 1000;
  if (fullIntervalSeconds === 0 || ageSeconds < fullIntervalSeconds) return undefined;
  return `the last full backup is more than ${fullIntervalSeconds} seconds old`;
}

function trimmed({ parent, fromSeq }: { parent: BackupRecord; fromSeq: number }, moment: Moment): string | undefined {
  if (fromSeq >= moment.historyStart) return undefined;
  return `the changes since backup ${parent.id} are no longer all in the history`;
}
