import type { BackupRecord } from '../../src/backup/types.js';

/** A record for pure code: full unless it names a parent; one sequence number a millisecond. */
export function record(id: string, createdAtMs: number, fields: Partial<BackupRecord> = {}): BackupRecord {
  const seq = fields.position?.seq ?? createdAtMs;
  return {
    id,
    formatVersion: 1,
    createdAtMs,
    position: { storeId: 'store', seq, timeMs: createdAtMs },
    description: '',
    tags: [],
    compression: { type: 'zstd', level: 3 },
    encrypted: false,
    sealed: false,
    recordCount: 1,
    entryCount: 1,
    uncompressedBytes: 1,
    sizeBytes: 1,
    sha256: `sha256 of ${id}`,
    isIncremental: fields.parent !== undefined,
    parentId: fields.parent?.id,
    pinned: false,
    ...fields,
  };
}

/** An incremental one resting on `parent`. */
export function child(id: string, createdAtMs: number, parent: BackupRecord, fields: Partial<BackupRecord> = {}) {
  const { seq, timeMs } = parent.position;
  const link = { id: parent.id, sha256: parent.sha256, fromSeq: seq, fromTimeMs: timeMs };
  return record(id, createdAtMs, { parent: link, ...fields });
}
