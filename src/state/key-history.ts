import { LlmspellError } from '../errors.js';
import { asBuffer, type Bytes, equalBytes } from '../util/bytes.js';
import type { BackendView, Segment } from './backend.js';
import type { Documents } from './catalog.js';
import { type RawRecord, readSegment, segmentsBackward } from './history.js';
import { pastSource } from './past.js';
import type { HistoryItem } from './types.js';

/**
 * The life of one key, newest first: every change of it in the history kept, and what each restore made of it where that can
 * be told. Reads history from its end, until it has `limit` items.
 */
export async function keyHistory(
  view: BackendView,
  documents: Documents,
  raw: Bytes,
  limit = Number.POSITIVE_INFINITY,
): Promise<HistoryItem[]> {
  const items: HistoryItem[] = [];
  for await (const segment of segmentsBackward(view, documents.horizon.seq, documents.head.seq)) {
    for (const record of recordsOf(segment, raw)) {
      const item = await itemOf(view, documents, raw, record);
      if (item !== undefined) items.push(item);
      if (items.length >= limit) return items;
    }
  }
  return items;
}

/** Those about the key, newest first, and rewinds, which are about every key. */
function recordsOf(segment: Segment, raw: Bytes): RawRecord[] {
  const isRewind = segment.firstSeq === segment.lastSeq;
  if (!isRewind && !asBuffer(segment.bytes).includes(asBuffer(raw))) return [];
  return readSegment(segment)
    .filter((record) => record.kind === 'rewind' || equalBytes(record.raw, raw))
    .reverse();
}

async function itemOf(
  view: BackendView,
  documents: Documents,
  raw: Bytes,
  { seq, timeMs, kind, body }: RawRecord,
): Promise<HistoryItem | undefined> {
  if (kind === 'delete') return { seq, timeMs, value: null };
  if (kind === 'put') return { seq, timeMs, value: body };
  const before = await valueAt(view, documents, raw, seq - 1);
  const value = await valueAt(view, documents, raw, seq);
  return value === undefined || isSame(before, value) ? undefined : { seq, timeMs, value };
}

/** Null where there was none, undefined where that cannot be told. */
async function valueAt(
  view: BackendView,
  documents: Documents,
  raw: Bytes,
  seq: number,
): Promise<Bytes | null | undefined> {
  try {
    return (await (await pastSource(view, documents, seq)).get(raw))?.value ?? null;
  } catch (error) {
    if (error instanceof LlmspellError && error.code === 'HISTORY_UNREACHABLE') return undefined;
    throw error;
  }
}

const isSame = (a: Bytes | null | undefined, b: Bytes | null): boolean =>
  a === b || (a !== null && a !== undefined && b !== null && equalBytes(a, b));
