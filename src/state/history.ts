import { LlmspellError } from '../errors.js';
import { type Bytes, utf8 } from '../util/bytes.js';
import { crc32 } from '../util/hash.js';
import type { BackendView, Segment } from './backend.js';
import { decodeKey } from './key.js';
import { CRC_BYTES, SEAL_BYTES, SEQ_BYTES, unsealEntry } from './layout.js';
import type { HistoryRecord, RecordedRewind } from './types.js';

/**
 * A history segment: what one commit changed, every change in order, also those of one key. All numbers big-endian.
 *
 * ```
 * version 1 (8 bits) · CRC-32 of all that follows (32) · first sequence number (48) · number of records (32)
 * · time of the first record (48) · time of the last (48), in ms since 1970
 * then for each record, whose sequence numbers follow each other:
 *   kind (8): 0 put, 1 delete, 2 rewind · time (48) · length of the key (32) · length of the body (32) · key · body
 * ```
 *
 * The key is the raw key (`key.ts`); the body of a put is the sealed value as the entry itself has it (`layout.ts`), that of a
 * rewind JSON, that of a delete nothing.
 */
const VERSION = 1;
const HEADER_BYTES = 27;
const RECORD_BYTES = 15;
const KIND = { put: 0, delete: 1, rewind: 2 } as const;
/** How many changes are read together where history is read from its end. */
const BACKWARD_STEP = 2000;
const NO_BYTES: Bytes = new Uint8Array(0);

type Rewind = RecordedRewind['rewind'];

/** A record as a segment has it, not yet taken apart. */
export interface RawRecord {
  seq: number;
  timeMs: number;
  kind: keyof typeof KIND;
  /** Raw key; empty in a rewind. */
  raw: Bytes;
  /** The sealed value of a put. */
  body: Bytes;
}

/** Collects changes into a segment. The bytes are written once: entries are committed as slices of the segment. */
export class SegmentBuilder {
  readonly firstSeq: number;
  readonly #starts: number[] = [];
  #buffer: Buffer;
  #end = HEADER_BYTES;
  #firstTimeMs = 0;
  #lastTimeMs = 0;

  constructor(firstSeq: number, capacityBytes = 4096) {
    this.firstSeq = firstSeq;
    this.#buffer = Buffer.allocUnsafeSlow(capacityBytes);
  }

  get count(): number {
    return this.#starts.length;
  }

  get sizeBytes(): number {
    return this.#end;
  }

  /** The raw key comes in two parts, so that nobody has to join them first. */
  put(scope: Bytes, key: Bytes, timeMs: number, value: Bytes): void {
    const seq = this.firstSeq + this.count;
    const body = this.#append(KIND.put, timeMs, scope, key, SEAL_BYTES + value.length);
    const end = this.#end - CRC_BYTES;
    this.#buffer.writeUIntBE(seq, body, SEQ_BYTES);
    this.#buffer.set(value, body + SEQ_BYTES);
    // Key, number and content lie side by side: one checksum over all of them.
    this.#buffer.writeUInt32BE(crc32(this.#slice(body - scope.length - key.length, end)), end);
  }

  delete(scope: Bytes, key: Bytes, timeMs: number): void {
    this.#append(KIND.delete, timeMs, scope, key, 0);
  }

  rewind(timeMs: number, rewind: Rewind): void {
    const json = utf8(JSON.stringify(rewind));
    const body = this.#append(KIND.rewind, timeMs, NO_BYTES, NO_BYTES, json.length);
    this.#buffer.set(json, body);
  }

  /** The raw key of a change, as `latin1Of` gives it. */
  nameAt(index: number): string {
    const start = this.#starts[index]!;
    return this.#buffer.toString('latin1', start + RECORD_BYTES, this.#keyEnd(start));
  }

  rawAt(index: number): Bytes {
    const start = this.#starts[index]!;
    return this.#slice(start + RECORD_BYTES, this.#keyEnd(start));
  }

  /** The sealed value of a put, or undefined for a delete. */
  sealedAt(index: number): Bytes | undefined {
    const start = this.#starts[index]!;
    if (this.#buffer[start] !== KIND.put) return undefined;
    const body = this.#keyEnd(start);
    return this.#slice(body, body + this.#buffer.readUInt32BE(start + 11));
  }

  #keyEnd(start: number): number {
    return start + RECORD_BYTES + this.#buffer.readUInt32BE(start + 7);
  }

  #slice(start: number, end: number): Bytes {
    return new Uint8Array(this.#buffer.buffer, start, end - start);
  }

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

  /** Returns where the body goes. */
  #append(kind: number, timeMs: number, scope: Bytes, key: Bytes, bodyBytes: number): number {
    const start = this.#end;
    const keyBytes = scope.length + key.length;
    this.#reserve(RECORD_BYTES + keyBytes + bodyBytes);
    if (this.count === 0) this.#firstTimeMs = timeMs;
    this.#lastTimeMs = timeMs;
    this.#starts.push(start);
    const buffer = this.#buffer;
    buffer[start] = kind;
    buffer.writeUIntBE(timeMs, start + 1, 6);
    buffer.writeUInt32BE(keyBytes, start + 7);
    buffer.writeUInt32BE(bodyBytes, start + 11);
    buffer.set(scope, start + RECORD_BYTES);
    buffer.set(key, start + RECORD_BYTES + scope.length);
    return start + RECORD_BYTES + keyBytes;
  }

  #reserve(bytes: number): void {
    this.#end += bytes;
    if (this.#end <= this.#buffer.length) return;
    // Slices handed out keep the old buffer: what they show never changes.
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#end, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#end - bytes);
    this.#buffer = grown;
  }
}

/** The records of a segment, its checksum verified. Throws `STATE_DAMAGED`. */
export function readSegment(segment: Segment): RawRecord[] {
  const bytes = Buffer.from(segment.bytes.buffer, segment.bytes.byteOffset, segment.bytes.length);
  const { firstSeq, count } = readHeader(segment);
  if (bytes.readUInt32BE(1) !== crc32(bytes.subarray(5))) throw damaged(segment);
  const records: RawRecord[] = [];
  let at = HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    const keyEnd = at + RECORD_BYTES + bytes.readUInt32BE(at + 7);
    const bodyEnd = keyEnd + bytes.readUInt32BE(at + 11);
    records.push({
      seq: firstSeq + i,
      timeMs: bytes.readUIntBE(at + 1, 6),
      kind: KINDS[bytes[at]!]!,
      raw: bytes.subarray(at + RECORD_BYTES, keyEnd),
      body: bytes.subarray(keyEnd, bodyEnd),
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
  if (bytes.length < HEADER_BYTES || bytes[0] !== VERSION) throw damaged(segment);
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
  return { seq, timeMs, scope, key, value: kind === 'put' ? unsealEntry(raw, body).value : null };
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
