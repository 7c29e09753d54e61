import { decodeKey } from '../state/key.js';
import type { HistoryRecord, RawEntry } from '../state/types.js';
import { type Bytes, compareBytes, latin1Of } from '../util/bytes.js';
import { damaged } from './archive-format.js';
import { reporter } from './operation.js';
import type { ArchiveReader, EntryName, LostRange, OperationOptions, ScopeUsage } from './types.js';

/** What each scope takes, in byte order. The bytes of a chunk are shared out by the size of the records that end in it. Throws `BACKUP_DAMAGED`. */
export async function scopesOf(
  reader: ArchiveReader,
  recordCount: number,
  options: OperationOptions,
): Promise<ScopeUsage[]> {
  const report = reporter('backup', options);
  const byName = new Map<string, ScopeUsage>();
  let [waitingBytes, done] = [0, 0];
  for await (const { frameBytes, contents, begun } of reader.chunks()) {
    if (!contents) throw damaged(reader.info.id, 'not all of it can be read');
    // Where a value goes on in the next chunk, this one waits for the record's end.
    waitingBytes += frameBytes;
    if (contents.length > 0) {
      share(contents, waitingBytes, byName);
      waitingBytes = 0;
    }
    done += begun;
    report({ phase: 'scopes', backupId: reader.info.id, done, total: recordCount, message: `${done} records` });
  }
  return [...byName.values()].sort((a, b) => compareBytes(a.scope, b.scope));
}

function share(
  records: readonly (RawEntry | HistoryRecord)[],
  storedBytes: number,
  byName: Map<string, ScopeUsage>,
): void {
  const sized = records.flatMap(sizedOf);
  const total = sized.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
  for (const { scope, rawBytes } of sized) {
    const name = latin1Of(scope);
    const usage = byName.get(name) ?? { scope: Buffer.from(scope), records: 0, rawBytes: 0, storedBytes: 0 };
    byName.set(name, usage);
    usage.records++;
    usage.rawBytes += rawBytes;
    usage.storedBytes += (storedBytes * rawBytes) / total;
  }
}

/** A restore in an incremental archive belongs to no scope. */
function sizedOf(record: RawEntry | HistoryRecord): { scope: Bytes; rawBytes: number }[] {
  if ('rewind' in record) return [];
  const valueBytes = record.value?.length ?? 0;
  if ('scope' in record)
    return [{ scope: record.scope, rawBytes: record.scope.length + record.key.length + valueBytes }];
  return [{ scope: decodeKey(record.key)!.scope, rawBytes: record.key.length + valueBytes }];
}

/** The records that cannot be read, by the index; neighbouring chunks are one range. */
export async function lostIn(reader: ArchiveReader): Promise<LostRange[]> {
  const isFull = !reader.info.parent;
  const ranges: LostRange[] = [];
  let open: LostRange | undefined;
  for await (const { begun, first, contents } of reader.chunks()) {
    const name = isFull ? nameOf(first) : undefined;
    if (contents) {
      if (open && name) open.to = name;
      open = undefined;
    } else {
      open ??= addTo(ranges, { records: 0, ...(name && { from: name }) });
      open.records += begun;
    }
  }
  return ranges;
}

function addTo<T>(list: T[], item: T): T {
  list.push(item);
  return item;
}

/** A long key is cut in the index. */
const nameOf = (first: Bytes): EntryName | undefined => decodeKey(Buffer.from(first));
