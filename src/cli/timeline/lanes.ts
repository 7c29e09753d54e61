import type { TimelineDocument } from './document.js';

type Backup = TimelineDocument['backups'][number];

export interface PlacedBackup {
  backup: Backup;
  lane: number;
}

const MOST_LANES = 12;

/**
 * Puts each chain, and what branches off from one, into a lane of its own, as long as there are lanes: one that has ended makes room
 * for the next.
 *
 * @param backups oldest first
 */
export function chainsIn(backups: readonly Backup[]): { placed: PlacedBackup[]; count: number } {
  const rails = railsOf(backups);
  const endsAt = new Map<string, number>();
  for (const { id, created_at_ms } of backups) endsAt.set(rails.get(id)!, created_at_ms);
  const lanes: number[] = [];
  const laneOf = new Map<string, number>();
  const madeAt = new Map(backups.map(({ id, created_at_ms }) => [id, created_at_ms]));
  const placed = backups.map((backup) => {
    const rail = rails.get(backup.id)!;
    // What branches off is drawn from its parent on.
    const fromMs = madeAt.get(backup.parent_id ?? '') ?? backup.created_at_ms;
    const lane = laneOf.get(rail) ?? freeLane(lanes, fromMs);
    laneOf.set(rail, lane);
    lanes[lane] = Math.max(lanes[lane] ?? 0, endsAt.get(rail)!);
    return { backup, lane };
  });
  return { placed, count: lanes.length };
}

function freeLane(endsAt: readonly number[], fromMs: number): number {
  const free = endsAt.findIndex((endMs) => endMs < fromMs);
  return free >= 0 ? free : endsAt.length % MOST_LANES;
}

/** Each backup goes on where its parent ends, unless another one already does: then it is the first of its own. */
function railsOf(backups: readonly Backup[]): Map<string, string> {
  const rails = new Map<string, string>();
  const continued = new Set<string>();
  for (const { id, parent_id } of backups) {
    const rail = parent_id === null || continued.has(parent_id) ? undefined : rails.get(parent_id);
    rails.set(id, rail ?? id);
    if (parent_id !== null) continued.add(parent_id);
  }
  return rails;
}
