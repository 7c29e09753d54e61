import type { HistoryRecord } from '../state/types.js';

/** Changes above `from`, up to and with `to`. */
export interface SeqRange {
  from: number;
  to: number;
}

/** At `seq` the state became what it had been at `toSeq`. */
export interface TurnBack {
  seq: number;
  toSeq: number;
}

/**
 * The changes that lead from the state at `from` to the state at `to`, ascending: where the state was taken back in between, those
 * given up are left out. Where it was taken back to before `from`, they do not lead from there: see `pathBegin`.
 *
 * For example, with changes 1–5, a restore to 2 at 6, and changes 7–8, the way from 0 to 8 is (0, 2] and (6, 8].
 */
export function pathBetween(from: number, to: number, turns: readonly TurnBack[]): SeqRange[] {
  const path: SeqRange[] = [];
  let end = to;
  for (const { seq, toSeq } of turns.toReversed()) {
    if (seq > end || seq <= from) continue;
    path.unshift({ from: seq, to: end });
    end = toSeq;
  }
  path.unshift({ from, to: end });
  return path;
}

export const isOnPath = (seq: number, path: readonly SeqRange[]): boolean =>
  path.some(({ from, to }) => seq > from && seq <= to);

/** The change whose state the path begins with: `from` itself, or an earlier one that the state was taken back to. */
export const pathBegin = ([first]: readonly SeqRange[]): number => Math.min(first!.from, first!.to);

/** A state that came from elsewhere (another store's backup) has no place before it. */
export function turnOf(record: HistoryRecord, storeId: string): TurnBack | undefined {
  if (!('rewind' in record)) return undefined;
  return { seq: record.seq, toSeq: record.rewind.storeId === storeId ? record.rewind.toSeq : -1 };
}
