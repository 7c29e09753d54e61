import type { Bytes } from '../../util/bytes.js';
import type { BackendEntry, KeyBounds, KeyRange, Segment } from '../backend.js';

/**
 * How keys lie in LevelDB. 0x00 begins what belongs to the backend itself: the format mark (that byte alone), the
 * segments, and from 0x00 0x80 on what it knows of its table files (`tables/registry.ts`). Entries keep their keys, but for those that begin with 0x00 or 0x01: these get a 0x01 before them, which keeps
 * the order and makes room.
 */
export const FORMAT_KEY: Bytes = new Uint8Array([0]);
/** Nothing is ever stored under it: to write something that changes nothing. */
export const NO_KEY: Bytes = new Uint8Array([0, 0]);
const FORMAT = Buffer.from('llmspell-level-1');
const SEGMENTS_END: Bytes = new Uint8Array([0, 0x80]);
const FIRST_ENTRY: Bytes = new Uint8Array([1]);
const SEGMENT_KEY_BYTES = 21;

export function entryKey(key: Bytes): Bytes {
  if (key[0]! > 1) return key;
  const stored = new Uint8Array(key.length + 1);
  stored[0] = 1;
  stored.set(key, 1);
  return stored;
}

export const ownKey = (stored: Bytes): Bytes => (stored[0] === 1 ? stored.subarray(1) : stored);

export function toLevelBounds({ gte, gt, lt, lte }: KeyBounds): KeyBounds {
  const bounds: KeyBounds = {};
  if (gt !== undefined) bounds.gt = entryKey(gt);
  else bounds.gte = gte === undefined ? FIRST_ENTRY : entryKey(gte);
  if (lt !== undefined) bounds.lt = entryKey(lt);
  else if (lte !== undefined) bounds.lte = entryKey(lte);
  return bounds;
}

/** 0x00, last and first sequence number (64 bits each) and the size in bytes (32 bits), big-endian: the last one sorts. */
export function segmentKey({ firstSeq, lastSeq, bytes }: Segment): Bytes {
  const key = Buffer.alloc(SEGMENT_KEY_BYTES);
  key.writeBigUInt64BE(BigInt(lastSeq), 1);
  key.writeBigUInt64BE(BigInt(firstSeq), 9);
  key.writeUInt32BE(bytes.length, 17);
  return key;
}

export function readSegmentKey(stored: Bytes): { firstSeq: number; lastSeq: number; sizeBytes: number } {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  return {
    lastSeq: Number(view.getBigUint64(1)),
    firstSeq: Number(view.getBigUint64(9)),
    sizeBytes: view.getUint32(17),
  };
}

export function segmentOf([key, bytes]: BackendEntry): Segment {
  const { firstSeq, lastSeq } = readSegmentKey(key);
  return { firstSeq, lastSeq, bytes };
}

/** The segments that end above `seq`. */
export const segmentsAbove = (seq: number): KeyRange => ({ gte: afterSeq(seq), lt: SEGMENTS_END });

/** The segments that end at or below `seq`. */
export const segmentsUpTo = (seq: number): KeyRange => ({ gt: FORMAT_KEY, lt: afterSeq(seq) });

function afterSeq(seq: number): Bytes {
  const key = Buffer.alloc(9);
  key.writeBigUInt64BE(BigInt(Math.max(0, Math.min(seq, Number.MAX_SAFE_INTEGER - 1))) + 1n, 1);
  return key;
}

/** The format's name, then how many commits there have been (64 bits): each of them writes it. */
export function formatMark(commits: number): Bytes {
  const mark = Buffer.alloc(FORMAT.length + 8);
  FORMAT.copy(mark);
  mark.writeBigUInt64BE(BigInt(commits), FORMAT.length);
  return mark;
}

/** The number of commits, or undefined where it is not of this format. */
export function readFormatMark(mark: Bytes): number | undefined {
  const bytes = Buffer.from(mark);
  if (bytes.length !== FORMAT.length + 8 || !bytes.subarray(0, FORMAT.length).equals(FORMAT)) return undefined;
  return Number(bytes.readBigUInt64BE(FORMAT.length));
}
