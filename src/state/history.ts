import { LlmspellError } from '../errors.js';
import { type Bytes, copyBytes, utf8 } from '../util/bytes.js';
import { crc32 } from '../util/hash.js';
import type { BackendView, Segment } from './backend.js';
import { decodeKey } from './key.js';
import { seal, sealedContent } from './layout.js';
import type { HistoryRecord, RecordedRewind } from './types.js';

/**
 * A history segment: what one commit changed, every change in order, also those of one key. All numbers big-endian.
 *
 * ```
 * version 2 (8 bits) · CRC-32 of all that follows (32) · first sequence number (48) · number of records (32)
 * · time of the first record (48) · time of the last (48), in ms since 1970
 * then for each record, whose sequence numbers follow each other:
 *   kind (8): 0 put, 1 delete, 2 rewind · time (48) · length of the key (32) · length of the body (32) · key · body
 * ```
 *
 * The key is the raw key (`key.ts`); the body of a put is the value, that of a rewind JSON, that of a delete nothing. In version 1 the body
 * of a put was the sealed value, as the entry itself has it (`layout.ts`).
 */
const VERSION = 2;
const SEALED_VERSION = 1;
const HEADER_BYTES = 27;
const RECORD_BYTES = 15;
const KIND = { put: 0, delete: 1, rewind: 2 } as const;
/** How many changes are read together where history is read from its end. */
const BACKWARD_STEP = 2000;

type Rewind = RecordedRewind['rewind'];

/** A record as a segment has it, not yet taken apart. */
export interface RawRecord {
  seq: number;
  timeMs: number;
  kind: keyof typeof KIND;
  /** Raw key; empty in a rewind. */
  raw: Bytes;
  /** The value of a put. */
  body: Bytes;
}

/** What a record makes of its key: the sealed value, or null where it deletes it. */
export const sealedOf = ({ kind, raw, seq, body }: RawRecord): Bytes | null =>
  kind === 'put' ? seal(raw, seq, body) : null;

/** Collects changes into a segment. */
export class SegmentBuilder {
  readonly firstSeq: number;
  /** Of the records. */
  #count = 0;
  #buffer: Buffer;
  #view: DataView;
  #end = HEADER_BYTES;
  #firstTimeMs = 0;
  #lastTimeMs = 0;

  constructor(firstSeq: number, capacityBytes = 4096) {
    this.firstSeq = firstSeq;
    this.#buffer = Buffer.allocUnsafeSlow(capacityBytes);
    this.#view = new DataView(this.#buffer.buffer);
  }

  get count(): number {
    return this.#count;
  }

  get sizeBytes(): number {
    return this.#end;
  }

  /** What was written so far; what it shows of it never changes. */
  get bytes(): Bytes {
    return this.#buffer;
  }

  /** The raw key comes in two parts, so that nobody has to join them first. Returns where it lies. */
  put(scope: Bytes, key: Bytes, timeMs: number, value: Bytes): number {
    const at = this.#append(KIND.put, timeMs, scope.length + key.length, value.length);
    const buffer = this.#buffer;
    copyBytes(scope, 0, scope.length, buffer, at);
    copyBytes(key, 0, key.length, buffer, at + scope.length);
    copyBytes(value, 0, value.length, buffer, at + scope.length + key.length);
    return at;
  }

  /** {@link put} of a key and a value that lie side by side in `bytes`. */
  putFrom(scope: Bytes, bytes: Bytes, keyAt: number, keyBytes: number, valueBytes: number, timeMs: number): number {
    const at = this.#append(KIND.put, timeMs, scope.length + keyBytes, valueBytes);
    copyBytes(scope, 0, scope.length, this.#buffer, at);
    copyBytes(bytes, keyAt, keyAt + keyBytes + valueBytes, this.#buffer, at + scope.length);
    return at;
  }

  delete(scope: Bytes, key: Bytes, timeMs: number): number {
    const at = this.#append(KIND.delete, timeMs, scope.length + key.length, 0);
    this.#buffer.set(scope, at);
    this.#buffer.set(key, at + scope.length);
    return at;
  }

  rewind(timeMs: number, rewind: Rewind): void {
    const json = utf8(JSON.stringify(rewind));
    const at = this.#append(KIND.rewind, timeMs, 0, json.length);
    this.#buffer.set(json, at);
  }

  /** Of the record whose key lies at `at`. */
  keyBytesAt = (at: number): number => this.#view.getUint32(at - 8);

  /** Where it ends, and with it its value, which follows the key. */
  endAt = (at: number): number => at + this.keyBytesAt(at) + this.#view.getUint32(at - 4);

  isDeleteAt = (at: number): boolean => this.#buffer[at - RECORD_BYTES] === KIND.delete;

  finish(): Segment {
    const bytes = this.#buffer.subarray(0, this.#end);
    bytes[0] = VERSION;
    bytes.writeUIntBE(this.firstSeq, 5, 6);
    bytes.writeUInt32BE(this.count, 11);
    bytes.writeUIntBE(this.#firstTimeMs, 15, 6);
    bytes.writeUIntBE(this.#lastTimeMs, 21, 6);
    bytes.writeUInt32BE(crc32(bytes.subarray(5)), 1);
    return { firstSeq: this.firstSeq, lastSeq: this.firstSeq + this.count - 1, bytes };
  }

  /** Returns where its key goes, which its body follows. */
  #append(kind: number, timeMs: number, keyBytes: number, bodyBytes: number): number {
    const start = this.#end;
    this.#reserve(RECORD_BYTES + keyBytes + bodyBytes);
    if (this.#count++ === 0) this.#firstTimeMs = timeMs;
    this.#lastTimeMs = timeMs;
    const view = this.#view;
    view.setUint8(start, kind);
    view.setUint16(start + 1, Math.floor(timeMs / 2 ** 32));
    view.setUint32(start + 3, timeMs >>> 0);
    view.setUint32(start + 7, keyBytes);
    view.setUint32(start + 11, bodyBytes);
    return start + RECORD_BYTES;
  }

  #reserve(bytes: number): void {
    this.#end += bytes;
    if (this.#end <= this.#buffer.length) return;
    // Slices handed out keep the old buffer: what they show never changes.
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#end, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#end - bytes);
    this.#buffer = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** The records of a segment, its checksum verified. Throws `STATE_DAMAGED`. */
export function readSegment(segment: Segment): RawRecord[] {
  const bytes = Buffer.from(segment.bytes.buffer, segment.bytes.byteOffset, segment.bytes.length);
  const { firstSeq, count } = readHeader(segment);
  if (bytes.readUInt32BE(1) !== crc32(bytes.subarray(5))) throw damaged(segment);
  const records: RawRecord[] = [];
  let at = HEADER_BYTES;
  const isSealed = bytes[0] === SEALED_VERSION;
  for (let i = 0; i < count; i++) {
    const keyEnd = at + RECORD_BYTES + bytes.readUInt32BE(at + 7);
    const bodyEnd = keyEnd + bytes.readUInt32BE(at + 11);
    const kind = KINDS[bytes[at]!]!;
    const body = bytes.subarray(keyEnd, bodyEnd);
    records.push({
      seq: firstSeq + i,
      timeMs: bytes.readUIntBE(at + 1, 6),
      kind,
      raw: bytes.subarray(at + RECORD_BYTES, keyEnd),
      body: isSealed && kind === 'put' ? sealedContent(body) : body,
    });
    at = bodyEnd;
  }
  return records;
}

const KINDS = Object.keys(KIND) as (keyof typeof KIND)[];

/** First and last time of a segment, from its header alone (not verified). */
export function readHeader(segment: Segment): {
  firstSeq: number;
  count: number;
  firstTimeMs: number;
  lastTimeMs: number;
} {
  const { bytes } = segment;
  if (bytes.length < HEADER_BYTES || (bytes[0] !== VERSION && bytes[0] !== SEALED_VERSION)) throw damaged(segment);
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  return {
    firstSeq: header.readUIntBE(5, 6),
    count: header.readUInt32BE(11),
    firstTimeMs: header.readUIntBE(15, 6),
    lastTimeMs: header.readUIntBE(21, 6),
  };
}

export function toHistoryRecord({ seq, timeMs, kind, raw, body }: RawRecord): HistoryRecord {
  if (kind === 'rewind') return { seq, timeMs, rewind: JSON.parse(Buffer.from(body).toString()) as Rewind };
  const { scope, key } = decodeKey(raw)!;
  return { seq, timeMs, scope, key, value: kind === 'put' ? body : null };
}

/** Segments that end above `from` and at or below `to` (which is where one ends), newest first, few at a time in memory. */
export async function* segmentsBackward(view: BackendView, from: number, to: number): AsyncIterable<Segment> {
  for (let end = to; end > from; end -= BACKWARD_STEP) {
    const start = Math.max(from, end - BACKWARD_STEP);
    const step: Segment[] = [];
    for await (const segment of view.changesSince(start)) {
      if (segment.lastSeq > end) break;
      step.push(segment);
    }
    yield* step.reverse();
  }
}

/** Every record above `seq`, ascending, a page for each segment. */
export async function* recordsSince(view: BackendView, seq: number): AsyncIterable<RawRecord[]> {
  for await (const segment of view.changesSince(seq)) {
    const records = readSegment(segment);
    yield segment.firstSeq > seq ? records : records.filter((record) => record.seq > seq);
  }
}

const damaged = ({ firstSeq, lastSeq }: Segment): LlmspellError =>
  new LlmspellError(
    'STATE_DAMAGED',
    `The history of changes ${firstSeq} to ${lastSeq} is damaged: its checksum does not fit.`,
    {
      subject: `changes ${firstSeq}–${lastSeq}`,
    },
  );
