import { LlmspellError } from '../errors.js';
import type { BackupRecord } from './types.js';

export type Records = ReadonlyMap<string, BackupRecord>;

/** A backup and all it rests on, base first, as far as that can be followed; sound where there is no problem. */
export interface Chain {
  records: BackupRecord[];
  /** Each names the archive that it is about. */
  problems: { id: string; message: string }[];
}

export const recordsById = (records: readonly BackupRecord[]): Records => new Map(records.map((r) => [r.id, r]));

/**
 * Follows the parents of a backup. What it checks is what headers and trailers say: that each parent is there, readable, the
 * very archive that the child was made from, and older than the child. Nothing is read.
 */
export function chainOf(head: BackupRecord, records: Records): Chain {
  const chain: Chain = { records: [], problems: [] };
  for (let record: BackupRecord | undefined = head; record; record = parentOf(record, records, chain)) {
    chain.records.unshift(record);
    if (record.damage !== undefined) chain.problems.push({ id: record.id, message: record.damage });
  }
  return chain;
}

function parentOf(child: BackupRecord, records: Records, chain: Chain): BackupRecord | undefined {
  if (!child.parent) return undefined;
  const parent = records.get(child.parent.id);
  const problem = linkProblem(child, parent, chain.records);
  if (problem === undefined) return parent;
  chain.problems.push({ id: child.parent.id, message: problem });
  return undefined;
}

function linkProblem(child: BackupRecord, parent: BackupRecord | undefined, seen: readonly BackupRecord[]) {
  const { id, sha256, fromSeq } = child.parent!;
  if (!parent) return `${id}, which ${child.id} rests on, is not there.`;
  if (parent === child) return `${id} rests on itself.`;
  if (seen.includes(parent)) return `${id} rests on itself, by way of ${child.id}.`;
  // An unreadable parent has its own problem; of a readable one the digest tells whether it is the one that was meant.
  if (parent.damage !== undefined) return undefined;
  if (parent.sha256 !== sha256) return `${id} is not the archive that ${child.id} was made from.`;
  if (child.sealed) return undefined; // what it begins with is not known
  const sameStore = parent.position.storeId === child.position.storeId;
  if (sameStore && parent.position.seq > fromSeq) return `${id} is newer than what ${child.id} begins with.`;
  return undefined;
}

/** The chain, or `BACKUP_DAMAGED` / `BACKUP_CHAIN_BROKEN` naming what is wrong with it. */
export function soundChainOf(head: BackupRecord, records: Records): BackupRecord[] {
  const chain = chainOf(head, records);
  const problem = chain.problems[0];
  if (!problem) return chain.records;
  if (problem.id === head.id) {
    throw new LlmspellError('BACKUP_DAMAGED', `Backup ${head.id} cannot be used: ${problem.message}`, {
      subject: head.id,
    });
  }
  throw new LlmspellError('BACKUP_CHAIN_BROKEN', `The chain of backup ${head.id} is broken: ${problem.message}`, {
    subject: problem.id,
  });
}

/** When a backup was made; undefined where it is so damaged that it no longer tells. */
export const creationOf = ({ createdAtMs, damage }: BackupRecord): number | undefined =>
  damage !== undefined && createdAtMs === 0 ? undefined : createdAtMs;

/** The backups that rest on one directly. */
export const childrenOf = (id: string, records: readonly BackupRecord[]): BackupRecord[] =>
  records.filter((record) => record.parentId === id);

/** All backups that rest on one, directly or by way of others; each comes after what it rests on. */
export function descendantsOf(id: string, records: readonly BackupRecord[]): BackupRecord[] {
  const found = childrenOf(id, records);
  // Grows while it is walked; a backup that rests on itself is met once.
  for (const { id: parent } of found)
    for (const child of childrenOf(parent, records)) if (!found.includes(child) && child.id !== id) found.push(child);
  return found;
}

export const sizeOf = (records: readonly BackupRecord[]): number =>
  records.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
