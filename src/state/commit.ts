import type { BackendOperation, StateBackend } from './backend.js';
import { type Documents, putHead } from './catalog.js';
import { EntryWriter, generationPrefix, putMeta } from './layout.js';
import { floorOfFirstChanges } from './past.js';
import type { Group } from './write-queue.js';

/**
 * Writes a group as one batch: the newest value of each key, one segment with every change, the new head, and what the floor
 * has to keep. `documents.head` is then that of the group.
 */
export async function commitGroup(
  backend: StateBackend,
  documents: Documents,
  group: Group,
  keepFloor: boolean,
): Promise<void> {
  const segments = [...group.segments];
  if (group.changes.count > 0) segments.push(group.changes.finish());
  const floor = keepFloor ? await floorOperations(backend, group) : [];
  const receipts = [...group.receipts].map(([name, content]) => putMeta(name, content));
  const operations = [...entryOperations(group), ...group.operations, ...receipts, ...floor];
  const addedBytes = segments.reduce((sum, { bytes }) => sum + bytes.length, group.recordedBytes);
  const { head } = documents;
  const last = segments.at(-1);
  const moment = last === undefined ? head : { seq: last.lastSeq, timeMs: group.lastTimeMs };
  operations.push(putHead({ ...moment, historyBytes: head.historyBytes + addedBytes }));
  await backend.commit({ operations, segments }, { sync: group.sync });
  // Trimming may have made it smaller meanwhile.
  documents.head = { ...moment, historyBytes: documents.head.historyBytes + addedBytes };
}

/** The newest value of each key. */
function entryOperations({ timeline, newest, changes }: Group): BackendOperation[] {
  let bytes = 0;
  for (let index = 0; index < newest.size; index++) {
    const keyAt = newest.keyAt(index);
    bytes += changes.endAt(keyAt) - keyAt;
  }
  const entries = new EntryWriter(generationPrefix(timeline.generation), changes.bytes, newest.size, bytes);
  return Array.from({ length: newest.size }, (_, index) => {
    const keyAt = newest.keyAt(index);
    const keyEnd = keyAt + changes.keyBytesAt(keyAt);
    const key = entries.key(keyAt, keyEnd);
    if (changes.isDeleteAt(keyAt)) return { type: 'del', key };
    const seq = changes.firstSeq + newest.changeAt(index);
    return { type: 'put', key, value: entries.seal(keyAt, keyEnd, changes.endAt(keyAt), seq) };
  });
}

async function floorOperations(
  backend: StateBackend,
  { timeline, newest, changes }: Group,
): Promise<BackendOperation[]> {
  // The first timeline began empty.
  if (timeline.startSeq === 0 || newest.size === 0) return [];
  const raws = Array.from({ length: newest.size }, (_, index) => {
    const at = newest.keyAt(index);
    return changes.bytes.subarray(at, at + changes.keyBytesAt(at));
  });
  return await floorOfFirstChanges(backend, timeline, raws);
}
