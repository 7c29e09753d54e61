import type { BackupRecord } from '../backup/types.js';

export interface ChainLine {
  record: BackupRecord;
  /** What is drawn before it: `├─ `, `│  └─ `, or nothing for the root of a chain. */
  rails: string;
}

/**
 * Orders backups so that each line rests on the one above it on the same rail, or, where a rail begins, on the one to its left.
 * The rail of a chain leads to its newest backup; what branches off is drawn below the backup it rests on.
 */
export function drawChains(records: readonly BackupRecord[]): ChainLine[] {
  const byId = new Map(records.map((record) => [record.id, record]));
  const circles = circlesIn(records, byId);
  const children = new Map<string | undefined, BackupRecord[]>();
  for (const record of records) {
    const parent = circles.has(record) ? undefined : byId.get(record.parentId ?? '')?.id;
    children.set(parent, [...(children.get(parent) ?? []), record]);
  }
  const childrenOf = (record: BackupRecord) => children.get(record.id) ?? [];
  const newest = newestBelow(records, childrenOf);
  const roots = children.get(undefined) ?? [];
  return roots.flatMap((root) => [{ record: root, rails: '' }, ...below(root, '', childrenOf, newest)]);
}

/** Backups that rest on themselves, which only those do that lie under each other's names: nothing else that is drawn leads to them. */
function circlesIn(records: readonly BackupRecord[], byId: ReadonlyMap<string, BackupRecord>): Set<BackupRecord> {
  const settled = new Set<BackupRecord>();
  const circles = new Set<BackupRecord>();
  for (const record of records) {
    const path = new Set<BackupRecord>();
    let at: BackupRecord | undefined = record;
    for (; at && !settled.has(at) && !path.has(at); at = byId.get(at.parentId ?? '')) path.add(at);
    const way = [...path];
    if (at && path.has(at)) for (const member of way.slice(way.indexOf(at))) circles.add(member);
    for (const member of way) settled.add(member);
  }
  return circles;
}

type Children = (record: BackupRecord) => readonly BackupRecord[];

function below(parent: BackupRecord, rails: string, childrenOf: Children, newest: Map<string, number>): ChainLine[] {
  const lines: ChainLine[] = [];
  let at = parent;
  for (;;) {
    const rail = [...childrenOf(at)].sort((a, b) => newest.get(b.id)! - newest.get(a.id)!)[0];
    for (const branch of childrenOf(at).filter((child) => child !== rail))
      lines.push(...branchLines(branch, rails, childrenOf, newest));
    if (!rail) return lines;
    const isLast = childrenOf(rail).length === 0;
    lines.push({ record: rail, rails: `${rails}${isLast ? '└─ ' : '├─ '}` });
    at = rail;
  }
}

function branchLines(
  branch: BackupRecord,
  rails: string,
  childrenOf: Children,
  newest: Map<string, number>,
): ChainLine[] {
  const inner = `${rails}│  `;
  const rest = below(branch, inner, childrenOf, newest);
  return [{ record: branch, rails: `${inner}${rest.length === 0 ? '└─ ' : '├─ '}` }, ...rest];
}

/** For each backup the time of the newest that rests on it, itself counted. Parents are made before their children. */
function newestBelow(records: readonly BackupRecord[], childrenOf: Children): Map<string, number> {
  const newest = new Map<string, number>();
  for (const record of records.toReversed())
    newest.set(record.id, Math.max(record.createdAtMs, ...childrenOf(record).map(({ id }) => newest.get(id) ?? 0)));
  return newest;
}
