import { encodeKey } from '../state/key.js';
import type { HistoryRecord, LiveSnapshot } from '../state/types.js';
import { latin1Of } from '../util/bytes.js';
import { createArchiveWriter } from './archive-writer.js';
import type { Base } from './base.js';
import type { Report } from './operation.js';
import type { ArchiveInfo, ArchiveOptions, ArchiveStart, BackupRepository } from './types.js';

/** The state was taken back to before the point that an incremental backup would begin at, so its changes do not lead here. */
export class TakenBack extends Error {
  readonly toSeq: number;

  constructor(toSeq: number) {
    super(`the state was taken back to change ${toSeq}`);
    this.toSeq = toSeq;
  }
}

export interface Writing {
  repository: BackupRepository;
  snapshot: LiveSnapshot;
  /** Without position and parent, which follow from the snapshot and the base. */
  start: Omit<ArchiveStart, 'position' | 'parent'>;
  archive: ArchiveOptions;
  report: Report;
}

/** Writes every entry of the snapshot as one archive. */
export async function writeFull({ repository, snapshot, start, archive, report }: Writing): Promise<ArchiveInfo> {
  return await repository.put(start.id, async (sink) => {
    const writer = await createArchiveWriter(sink, { ...start, position: positionOf(snapshot) }, archive);
    let done = 0;
    for await (const page of snapshot.entries()) {
      await writer.entries(page);
      done += page.length;
      report({ phase: 'entries', backupId: start.id, done, message: `${done} entries` });
    }
    return await writer.finish({});
  });
}

/**
 * Writes every change since the base as one archive; its `entryCount` is the number of keys they touch. Throws {@link TakenBack}, and
 * leaves nothing behind, where one of them took the state back to before the base: what lies beneath is then not the base.
 */
export async function writeIncremental(
  { repository, snapshot, start, archive, report }: Writing,
  { parent, fromSeq, fromTimeMs }: Base,
): Promise<ArchiveInfo> {
  const link = { id: parent.id, sha256: parent.sha256, fromSeq, fromTimeMs };
  return await repository.put(start.id, async (sink) => {
    const writer = await createArchiveWriter(sink, { ...start, position: positionOf(snapshot), parent: link }, archive);
    const keys = new Set<string>();
    let done = 0;
    for await (const page of snapshot.changesSince(fromSeq)) {
      for (const record of page) note(record, snapshot.storeId, fromSeq, keys);
      await writer.changes(page);
      done += page.length;
      const total = snapshot.seq - fromSeq;
      report({ phase: 'changes', backupId: start.id, done, total, message: `${done} changes` });
    }
    return await writer.finish({ entryCount: keys.size });
  });
}

function note(record: HistoryRecord, storeId: string, fromSeq: number, keys: Set<string>): void {
  if ('rewind' in record) {
    const { rewind } = record;
    if (rewind.storeId !== storeId || rewind.toSeq < fromSeq) {
      throw new TakenBack(rewind.storeId === storeId ? rewind.toSeq : -1);
    }
  } else keys.add(latin1Of(encodeKey(record.scope, record.key)));
}

const positionOf = ({ storeId, seq, timeMs }: LiveSnapshot) => ({ storeId, seq, timeMs });
