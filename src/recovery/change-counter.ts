import type { HistoryRecord } from '../state/types.js';
import { type Bytes, bytesOfLatin1, latin1Of } from '../util/bytes.js';

export interface CountedStretch {
  startMs: number;
  storeId: string;
  /** Of the last change in it. */
  lastSeq: number;
  sets: number;
  deletes: number;
  /** Changes by scope, the name as Latin-1 text of its bytes. */
  byScope: Map<string, number>;
}

const FINE_MS = 1000;
const COARSE_MS = 60_000;
const MOST_FINE = 20_000;

/**
 * Counts changes by scope and second, or by minute where that would be too much to hold: what it holds grows with the time that the
 * changes span, not with their number.
 */
export class ChangeCounter {
  readonly restores: { timeMs: number; description: string }[] = [];
  #stretches = new Map<string, CountedStretch>();
  #lengthMs = FINE_MS;

  /** @param page ascending */
  add(page: readonly HistoryRecord[], storeId: string): void {
    for (const record of page) {
      const stretch = this.#stretchOf(record.timeMs, storeId);
      stretch.lastSeq = Math.max(stretch.lastSeq, record.seq);
      if ('rewind' in record) {
        this.restores.push({ timeMs: record.timeMs, description: record.rewind.source });
        continue;
      }
      if (record.value === null) stretch.deletes++;
      else stretch.sets++;
      const scope = latin1Of(record.scope);
      stretch.byScope.set(scope, (stretch.byScope.get(scope) ?? 0) + 1);
    }
  }

  /** Oldest first. */
  stretches(): CountedStretch[] {
    return [...this.#stretches.values()].sort((a, b) => a.startMs - b.startMs || a.lastSeq - b.lastSeq);
  }

  busiestScopes(most: number): Bytes[] {
    const totals = new Map<string, number>();
    for (const { byScope } of this.#stretches.values())
      for (const [scope, count] of byScope) totals.set(scope, (totals.get(scope) ?? 0) + count);
    const ranked = [...totals].sort(([a, left], [b, right]) => right - left || (a < b ? -1 : 1));
    return ranked.slice(0, most).map(([scope]) => bytesOfLatin1(scope));
  }

  #stretchOf(timeMs: number, storeId: string): CountedStretch {
    const startMs = timeMs - (timeMs % this.#lengthMs);
    const name = `${storeId} ${startMs}`;
    let stretch = this.#stretches.get(name);
    if (!stretch) {
      if (this.#lengthMs === FINE_MS && this.#stretches.size >= MOST_FINE) {
        this.#coarsen();
        return this.#stretchOf(timeMs, storeId);
      }
      stretch = { startMs, storeId, lastSeq: 0, sets: 0, deletes: 0, byScope: new Map() };
      this.#stretches.set(name, stretch);
    }
    return stretch;
  }

  #coarsen(): void {
    const fine = this.#stretches;
    this.#stretches = new Map();
    this.#lengthMs = COARSE_MS;
    for (const stretch of fine.values()) merge(this.#stretchOf(stretch.startMs, stretch.storeId), stretch);
  }
}

function merge(into: CountedStretch, from: CountedStretch): void {
  into.lastSeq = Math.max(into.lastSeq, from.lastSeq);
  into.sets += from.sets;
  into.deletes += from.deletes;
  for (const [scope, count] of from.byScope) into.byScope.set(scope, (into.byScope.get(scope) ?? 0) + count);
}
