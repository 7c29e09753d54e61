import { encodeKey } from '../state/key.js';
import type { LiveSnapshot } from '../state/types.js';
import { latin1Of } from '../util/bytes.js';
import { createArchiveWriter } from './archive-writer.js';
import type { Base } from './base.js';
import { givingWay } from './give-way.js';
import type { Report } from './operation.js';
import { pathBegin, pathBetween, type TurnBack, turnOf } from './path.js';
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
  /** The number of the state's last change: whether anybody writes meanwhile. */
  lastChange: () => number;
  /** Without position and parent, which follow from the snapshot and the base. */
  start: Omit<ArchiveStart, 'position' | 'parent' | 'schemaVersion' | 'schemaMarks'>;
  archive: ArchiveOptions;
  report: Report;
}

/** Writes every entry of the snapshot as one archive. */
export async function writeFull({
  repository,
  snapshot,
  lastChange,
  start,
  archive,
  report,
}: Writing): Promise<ArchiveInfo> {
  return await repository.put(start.id, async (sink) => {
    const writer = await createArchiveWriter(sink, { ...start, ...momentOf(snapshot) }, archive);
    let done = 0;
    for await (const page of givingWay(snapshot.entries(), lastChange)) {
      await writer.entries(page);
      done += page.length;
      report({ phase: 'entries', backupId: start.id, done, message: `${done} entries` });
    }
    return await writer.finish({});
  });
}

/**
 * Writes every change since the base as one archive, also those that were given up by going back; its `entryCount` is the number of
 * keys they touch. Throws {@link TakenBack}, and leaves nothing behind, where the changes turn out not to lead from the base.
 */
export async function writeIncremental(
  { repository, snapshot, lastChange, start, archive, report }: Writing,
  { parent, fromSeq, fromTimeMs }: Base,
): Promise<ArchiveInfo> {
  const link = { id: parent.id, sha256: parent.sha256, fromSeq, fromTimeMs };
  return await repository.put(start.id, async (sink) => {
    const marks = snapshot.schemaMarks.filter(({ seq }) => seq > fromSeq);
    const moment = { ...momentOf(snapshot), ...(marks.length > 0 && { schemaMarks: marks }) };
    const writer = await createArchiveWriter(sink, { ...start, ...moment, parent: link }, archive);
    const keys = new Set<string>();
    const turns: TurnBack[] = [];
    let done = 0;
    for await (const page of givingWay(snapshot.changesSince(fromSeq), lastChange)) {
      for (const record of page) {
        const turn = turnOf(record, snapshot.storeId);
        if (turn) turns.push(turn);
        if ('key' in record) keys.add(latin1Of(encodeKey(record.scope, record.key)));
      }
      await writer.changes(page);
      done += page.length;
      const total = snapshot.seq - fromSeq;
      report({ phase: 'changes', backupId: start.id, done, total, message: `${done} changes` });
    }
    const begin = pathBegin(pathBetween(fromSeq, snapshot.seq, turns));
    if (begin < fromSeq) throw new TakenBack(begin);
    return await writer.finish({ entryCount: keys.size });
  });
}

const momentOf = ({ storeId, seq, timeMs, schemaVersion }: LiveSnapshot) => ({
  position: { storeId, seq, timeMs },
  ...(schemaVersion !== undefined && { schemaVersion }),
});
