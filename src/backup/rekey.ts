import { LlmspellError } from '../errors.js';
import { readArchiveInfo } from './archive-ends.js';
import { type Archives, markWritten, Rewriter } from './archives.js';
import { chainOf, descendantsOf, recordsById, soundChainOf } from './chain.js';
import { assertSound } from './compact.js';
import { findRecord } from './find.js';
import { reporter } from './operation.js';
import type { BackupRecord, BackupRepository, EncryptionKey, RekeyOptions, RekeyResult } from './types.js';

/** What opens an archive, and whether that is what it is to be encrypted with. */
interface Lock {
  key: EncryptionKey | undefined;
  isNew: boolean;
}

interface Keys {
  old: EncryptionKey | undefined;
  /** Undefined: none. */
  new: EncryptionKey | undefined;
}

/**
 * Encrypts archives with another key, or with none: a backup, all it rests on and all that rests on these; without a reference, every
 * backup. What belongs together takes effect at once; what is wrong with it is in the results, and leaves it as it was. Within
 * `exclusive`. Throws as `find`, and `ABORTED`.
 */
export async function rekey(
  archives: Archives,
  reference: string | undefined,
  options: RekeyOptions,
): Promise<RekeyResult[]> {
  const keys = await keysOf(archives, options);
  const records = await archives.catalog.records();
  const head = reference === undefined ? undefined : findRecord(reference, records, archives.repository.location);
  const trees = treesOf(records).filter((tree) => !head || tree.includes(head));
  const results: RekeyResult[] = [];
  const report = reporter('rekey', options);
  for (const [index, tree] of trees.entries()) {
    const message = `Chain ${index + 1} of ${trees.length}`;
    report({ phase: 'rekey', backupId: tree[0]!.id, done: index, total: trees.length, message });
    results.push(...(await rekeyTree(archives, tree, recordsById(records), keys, options.signal)));
  }
  return results;
}

async function keysOf(archives: Archives, { oldKey, newKey }: RekeyOptions): Promise<Keys> {
  // Only what is needed: the key of the configuration may be the one that was lost.
  const own = oldKey === undefined || newKey === undefined ? await archives.key() : undefined;
  return { old: oldKey ?? own, new: newKey === undefined ? own : (newKey ?? undefined) };
}

/** Backups with all that they share a chain with; each after what it rests on. */
function treesOf(records: readonly BackupRecord[]): BackupRecord[][] {
  const ids = new Set(records.map(({ id }) => id));
  const roots = records.filter(({ parentId }) => parentId === undefined || !ids.has(parentId));
  return roots.map((root) => [root, ...descendantsOf(root.id, records)]);
}

async function rekeyTree(
  archives: Archives,
  tree: readonly BackupRecord[],
  byId: ReadonlyMap<string, BackupRecord>,
  keys: Keys,
  signal: AbortSignal | undefined,
): Promise<RekeyResult[]> {
  try {
    const locks = new Map<string, Lock>();
    for (const { id } of tree) locks.set(id, await lockOf(archives.repository, id, keys));
    const written = tree.filter((record) => chainOf(record, byId).records.some(({ id }) => !locks.get(id)?.isNew));
    if (written.length > 0) {
      for (const record of tree) soundChainOf(record, byId);
      await assertSound(archives, written);
      await rewriteTree(archives, written, locks, keys.new, signal);
    }
    return tree.map((record) => ({ backupId: record.id, status: written.includes(record) ? 'rekeyed' : 'unchanged' }));
  } catch (error) {
    if (!(error instanceof LlmspellError) || error.code === 'ABORTED') throw error;
    return tree.map(({ id }) => ({ backupId: id, status: 'failed', error }));
  }
}

async function rewriteTree(
  archives: Archives,
  records: readonly BackupRecord[],
  locks: ReadonlyMap<string, Lock>,
  newKey: EncryptionKey | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const byId = recordsById(records);
  const rewriter = new Rewriter(archives.repository);
  const ids = records.map(({ id }) => id);
  await archives.repository.replace(ids, async (id, sink) => {
    const { key } = locks.get(id)!;
    const keys = { ...(key && { key }), ...(newKey && { newKey }) };
    await rewriter.rewrite(byId.get(id)!, sink, { ...keys, ...(signal && { signal }) });
  });
  await markWritten(archives, ids);
}

async function lockOf(repository: BackupRepository, id: string, keys: Keys): Promise<Lock> {
  const source = await repository.get(id);
  try {
    for (const key of [keys.new, keys.old]) {
      const { encrypted, sealed } = await readArchiveInfo(source, key ? { key } : {});
      if (!encrypted) return { key: undefined, isNew: keys.new === undefined };
      if (!sealed) return { key, isNew: key === keys.new };
    }
  } finally {
    await source.close();
  }
  throw new LlmspellError('BACKUP_KEY', `Neither the old key nor the new one opens backup ${id}.`, { subject: id });
}
