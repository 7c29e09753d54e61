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
  const ids = new Set(records.map(({ id }) => id));
  const children = new Map<string | undefined, BackupRecord[]>();
  for (const record of records) {
    const parent = record.parentId !== undefined && ids.has(record.parentId) ? record.parentId : undefined;
    children.set(parent, [...(children.get(parent) ?? []), record]);
  }
  const childrenOf = (record: BackupRecord) => children.get(record.id) ?? [];
  const newest = newestBelow(records, childrenOf);
  const roots = children.get(undefined) ?? [];
  return roots.flatMap((root) => [{ record: root, rails: '' }, ...below(root, '', childrenOf, newest)]);
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
