import { chainOf, recordsById } from '../backup/chain.js';
import type { BackupRecord } from '../backup/types.js';
import type { Reach } from './types.js';

interface Span {
  fromMs: number;
  toMs: number;
}

/** The present state, and the moments that its own history tells of, where that is kept. */
export interface LiveReach {
  storeId: string;
  history?: Span;
}

/**
 * Which moments of a state can be had, and which cannot, and why; pure.
 *
 * @param live absent where there is no present state; then backups of any state count.
 */
export function reachOf(records: readonly BackupRecord[], live: LiveReach | undefined): Reach {
  const byId = recordsById(records);
  const faults = new Map<string, string>();
  for (const record of records) {
    const fault = faultOf(record, byId);
    if (fault !== undefined) faults.set(record.id, fault);
  }
  const own = records.filter(({ position }) => !live || position.storeId === live.storeId);
  const told = own.filter(({ id }) => !faults.has(id)).map(spanOf);
  const spans = union(live?.history ? [...told, live.history] : told);
  const [first, last] = [spans[0], spans.at(-1)];
  return {
    ...(first && last && { fromMs: first.fromMs, toMs: last.toMs }),
    gaps: spans.slice(1).map(({ fromMs }, index) => {
      const gap = { fromMs: spans[index]!.toMs, toMs: fromMs };
      return { ...gap, reason: reasonOf(gap, own, faults) };
    }),
    unusable: [...faults].map(([id, reason]) => ({ id, reason })),
  };
}

function faultOf(record: BackupRecord, byId: ReadonlyMap<string, BackupRecord>): string | undefined {
  const [problem] = chainOf(record, byId).problems;
  if (problem) return problem.message;
  return record.sealed ? 'It is encrypted with another key.' : undefined;
}

/** From the first moment that its changes tell of to its making: nothing happened between its last change and that. */
const spanOf = ({ parent, position, createdAtMs }: BackupRecord): Span => ({
  fromMs: parent?.fromTimeMs ?? position.timeMs,
  toMs: createdAtMs,
});

/** Ascending, with what overlaps or touches put together. */
function union(spans: readonly Span[]): Span[] {
  const out: Span[] = [];
  for (const { fromMs, toMs } of [...spans].sort((a, b) => a.fromMs - b.fromMs)) {
    const last = out.at(-1);
    if (last && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs);
    else out.push({ fromMs, toMs });
  }
  return out;
}

function reasonOf(gap: Span, records: readonly BackupRecord[], faults: ReadonlyMap<string, string>): string {
  const lost = records.find((record) => {
    const { fromMs, toMs } = spanOf(record);
    return faults.has(record.id) && fromMs <= gap.fromMs && gap.fromMs < toMs;
  });
  if (lost) return `only backup ${lost.id} tells of it, and that cannot be used`;
  return 'no backup tells of the changes then, and the history kept begins later';
}
