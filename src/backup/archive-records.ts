import { z } from 'zod';
import { LlmspellError } from '../errors.js';
import { EntryPage } from '../state/entry-page.js';
import type { HistoryRecord, RawEntry, RecordedRewind } from '../state/types.js';
import { type Bytes, compareBytes, compareRanges, textOf, utf8 } from '../util/bytes.js';
import { Damage } from './archive-format.js';
import { ByteReader, MAX_VARINT_BYTES, writeVarint } from './varint.js';

/** A chunk is closed when it has this many bytes: 256 KiB make archives 1.5 % larger, 1 MiB 0.8 % smaller and reading one scope twice the work. */
export const CHUNK_BYTES = 512 * 1024;
/** Larger keys do not occur (a scope and a key of 64 KiB each, every byte escaped). */
const MAX_HEAD_BYTES = 512 * 1024;
/** No state holds larger ones, and a reader refuses to wait for more. */
const MAX_VALUE_BYTES = 1024 ** 3;
const NOTHING: Bytes = new Uint8Array(0);

/** Some records, ready to be compressed. */
export interface Chunk {
  raw: Bytes;
  /** What `raw` is a part of; free again when `raw` is no longer needed. */
  memory: Buffer;
  /** Records that begin in it. */
  records: number;
  /** Sort key of the record that its first byte belongs to. */
  first: Bytes;
}

/**
 * Collects records into chunks, one after another. A chunk is: how many bytes of the value begun in an earlier chunk are still to come, as many of
 * them as it holds, then records, each a head and a value. Only the last value may go on in the next chunk.
 */
export class ChunkBuilder {
  #bytes: Buffer = Buffer.allocUnsafe(CHUNK_BYTES * 2);
  #at = writeVarint(this.#bytes, 0, 0);
  #records = 0;
  #first: Bytes | undefined;
  #last: Bytes = NOTHING;

  get full(): boolean {
    return this.#at >= CHUNK_BYTES;
  }

  get empty(): boolean {
    return this.#first === undefined;
  }

  /** Begins a record: makes room for a head with these variable parts. */
  begin(sortKey: Bytes, variableBytes: number, valueBytes: number): void {
    if (variableBytes > MAX_HEAD_BYTES)
      throw new LlmspellError('KEY_INVALID', `A key of ${variableBytes} bytes cannot be backed up.`);
    if (valueBytes > MAX_VALUE_BYTES)
      throw new LlmspellError('VALUE_TOO_LARGE', `A value of ${valueBytes} bytes cannot be backed up.`);
    this.#reserve(variableBytes + 8 * MAX_VARINT_BYTES);
    this.#first ??= sortKey;
    this.#last = sortKey;
    this.#records++;
  }

  varint(value: number): void {
    this.#at = writeVarint(this.#bytes, this.#at, value);
  }

  bytes(part: Bytes): void {
    this.#bytes.set(part, this.#at);
    this.#at += part.length;
  }

  /** Takes the value from `from` on, or as much as there is room for; returns up to where. */
  fill(value: Bytes, from: number): number {
    const left = value.length - from;
    const fits = this.#at + left <= CHUNK_BYTES * 2 ? left : Math.max(0, CHUNK_BYTES - this.#at);
    this.#reserve(fits);
    this.bytes(fits === value.length ? value : value.subarray(from, from + fits));
    return from + fits;
  }

  /** The chunk; the next one begins, with `carried` bytes of the last record's value still to come. `spare` is memory it may use. */
  take(carried: number, spare: Buffer = Buffer.allocUnsafe(CHUNK_BYTES * 2)): Chunk {
    const raw = this.#bytes.subarray(0, this.#at);
    const chunk = { raw, memory: this.#bytes, records: this.#records, first: this.#first ?? NOTHING };
    this.#bytes = spare;
    this.#at = writeVarint(spare, 0, carried);
    this.#records = 0;
    this.#first = carried > 0 ? this.#last : undefined;
    return chunk;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(this.#at + bytes + CHUNK_BYTES);
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

/** A record whose head has been read. */
interface Begun<T> {
  sortKey: Bytes;
  valueBytes: number;
  complete(value: Bytes): T;
}

/** How one kind of record is written and read; one instance goes through the records in order. */
export interface RecordLayout<T> {
  /** Records of a new chunk do not depend on earlier chunks. */
  startChunk(): void;
  /** Writes the head; returns the value that must follow. */
  write(record: T, out: ChunkBuilder): Bytes;
  read(from: ByteReader): Begun<T>;
  /** Reads all records that are whole, up to one whose value goes on in the next chunk, as a page; where there is a way that costs less. */
  readWhole?(from: ByteReader): EntryPage;
}

const unordered = (what: string) => new LlmspellError('INTERNAL', `${what} were handed to a backup out of order.`);

/** An entry of a full archive: lengths of key and value, key, value. Keys ascend in byte order. */
export class EntryLayout implements RecordLayout<RawEntry> {
  #last: Bytes = NOTHING;
  /** Of the page being read; used again. */
  #spans: Uint32Array = new Uint32Array(1 << 12);

  startChunk(): void {}

  write({ key, value }: RawEntry, out: ChunkBuilder): Bytes {
    if (compareBytes(key, this.#last) <= 0) throw unordered('Entries');
    this.#last = key;
    out.begin(key, key.length, value.length);
    out.varint(key.length);
    out.varint(value.length);
    out.bytes(key);
    return value;
  }

  read(from: ByteReader): Begun<RawEntry> {
    const keyBytes = from.varint();
    const valueBytes = from.varint();
    const key = from.take(keyBytes);
    if (compareBytes(key, this.#last) <= 0) throw new Damage('its entries are out of order');
    this.#last = key;
    return { sortKey: key, valueBytes, complete: (value) => ({ key, value }) };
  }

  readWhole(from: ByteReader): EntryPage {
    const { bytes } = from;
    let spans = this.#spans;
    let numbers = 0;
    let [lastBytes, lastStart, lastEnd] = [this.#last, 0, this.#last.length];
    for (let start = from.at; from.left > 0; start = from.at) {
      const keyBytes = from.varint();
      const valueBytes = from.varint();
      const keyAt = from.at;
      const valueAt = keyAt + keyBytes;
      const end = valueAt + valueBytes;
      if (end > bytes.length) {
        from.at = start;
        break;
      }
      if (compareRanges(bytes, keyAt, valueAt, lastBytes, lastStart, lastEnd) <= 0)
        throw new Damage('its entries are out of order');
      if (numbers + 3 > spans.length) spans = doubled(spans);
      spans[numbers] = keyAt;
      spans[numbers + 1] = valueAt;
      spans[numbers + 2] = end;
      numbers += 3;
      lastBytes = bytes;
      lastStart = keyAt;
      lastEnd = valueAt;
      from.at = end;
    }
    this.#spans = spans;
    this.#last = lastBytes.subarray(lastStart, lastEnd);
    return new EntryPage(bytes, spans.slice(0, numbers));
  }
}

function doubled(numbers: Uint32Array): Uint32Array {
  const larger = new Uint32Array(2 * numbers.length);
  larger.set(numbers);
  return larger;
}

const KIND = { set: 0, delete: 1, rewind: 2 } as const;

/**
 * A change of an incremental archive: kind, sequence number and time (each less the one before in the chunk), lengths of scope, key and
 * value, scope, key, value. The value of a rewind is JSON. Sequence numbers ascend, times never go back.
 */
export class ChangeLayout implements RecordLayout<HistoryRecord> {
  readonly #toSeq: number;
  #lastSeq: number;
  #lastTimeMs = 0;
  #baseSeq = 0;
  #baseTimeMs = 0;

  /** For changes with `fromSeq < seq <= toSeq`. */
  constructor(fromSeq: number, toSeq: number) {
    this.#lastSeq = fromSeq;
    this.#toSeq = toSeq;
  }

  startChunk(): void {
    this.#baseSeq = 0;
    this.#baseTimeMs = 0;
  }

  write(record: HistoryRecord, out: ChunkBuilder): Bytes {
    const { seq, timeMs } = record;
    if (!this.#inOrder(seq, timeMs)) throw unordered('Changes');
    const { kind, scope, key, value } = partsOf(record);
    out.begin(seqKey(seq), scope.length + key.length, value.length);
    const numbers = [kind, seq - this.#baseSeq, timeMs - this.#baseTimeMs, scope.length, key.length, value.length];
    for (const number of numbers) out.varint(number);
    out.bytes(scope);
    out.bytes(key);
    this.#passed(seq, timeMs);
    return value;
  }

  read(from: ByteReader): Begun<HistoryRecord> {
    const kind = from.varint();
    const seq = this.#baseSeq + from.varint();
    const timeMs = this.#baseTimeMs + from.varint();
    const scopeBytes = from.varint();
    const keyBytes = from.varint();
    const valueBytes = from.varint();
    const scope = from.take(scopeBytes);
    const key = from.take(keyBytes);
    if (!this.#inOrder(seq, timeMs)) throw new Damage('its changes are out of order');
    this.#passed(seq, timeMs);
    return {
      sortKey: seqKey(seq),
      valueBytes,
      complete: (value) => recordOf(kind, { seq, timeMs, scope, key, value }),
    };
  }

  #inOrder(seq: number, timeMs: number): boolean {
    const numbers = Number.isSafeInteger(seq) && Number.isSafeInteger(timeMs);
    return numbers && seq > this.#lastSeq && seq <= this.#toSeq && timeMs >= this.#lastTimeMs;
  }

  #passed(seq: number, timeMs: number): void {
    this.#lastSeq = this.#baseSeq = seq;
    this.#lastTimeMs = this.#baseTimeMs = timeMs;
  }
}

/** A sequence number as bytes that sort as the number does. */
function seqKey(seq: number): Bytes {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(BigInt(seq));
  return out;
}

function partsOf(record: HistoryRecord): { kind: number; scope: Bytes; key: Bytes; value: Bytes } {
  if ('rewind' in record)
    return { kind: KIND.rewind, scope: NOTHING, key: NOTHING, value: utf8(JSON.stringify(record.rewind)) };
  const { scope, key, value } = record;
  return { kind: value ? KIND.set : KIND.delete, scope, key, value: value ?? NOTHING };
}

interface ChangeParts {
  seq: number;
  timeMs: number;
  scope: Bytes;
  key: Bytes;
  value: Bytes;
}

function recordOf(kind: number, parts: ChangeParts): HistoryRecord {
  if (kind === KIND.set) return parts;
  if (kind === KIND.delete) return { ...parts, value: null };
  if (kind === KIND.rewind) return { seq: parts.seq, timeMs: parts.timeMs, rewind: rewindOf(parts.value) };
  throw new Damage(`change ${parts.seq} is of the unknown kind ${kind}`);
}

const rewindSchema = z.object({ storeId: z.string(), toSeq: z.int(), toTimeMs: z.number(), source: z.string() });

function rewindOf(json: Bytes): RecordedRewind['rewind'] {
  try {
    return rewindSchema.parse(JSON.parse(textOf(json) ?? ''));
  } catch {
    throw new Damage('the description of a restore in it does not decode');
  }
}

/** What one chunk gave. */
export interface DecodedChunk<T> {
  /** The records whose last byte is in it, as long as they are not in `page`. */
  complete: T[];
  /** The rest of them. */
  page?: EntryPage;
  /** How many records begin in it. */
  begun: number;
  /** Sort key of the record that its first byte belongs to; undefined where that is not known (see `skip`). */
  first: Bytes | undefined;
}

/** All records whose last byte is in the chunk. */
export function recordsOf<T>({ complete, page }: DecodedChunk<T>): T[] {
  // A page is of entries, which are what T is then.
  return page === undefined ? complete : [...complete, ...(page.entries() as T[])];
}

/** Chunks back into records. */
export class RecordDecoder<T> {
  readonly #layout: RecordLayout<T>;
  readonly #keepLongValues: boolean;
  #pending: (Begun<T> & { parts: Bytes[]; missing: number }) | undefined;
  #skipping = false;

  /** With `keepLongValues` false, records that go over several chunks are checked and not handed out: memory stays bounded. */
  constructor(layout: RecordLayout<T>, keepLongValues = true) {
    this.#layout = layout;
    this.#keepLongValues = keepLongValues;
  }

  /** Sort key of the record whose value is not yet complete. */
  get unfinished(): Bytes | undefined {
    return this.#pending?.sortKey;
  }

  /** The next chunk is not the one after the last: what is unfinished is dropped, and so is the end of a value in the next chunk. */
  skip(): void {
    this.#pending = undefined;
    this.#skipping = true;
  }

  decode(raw: Bytes): DecodedChunk<T> {
    const from = new ByteReader(raw);
    const decoded: DecodedChunk<T> = { complete: [], begun: 0, first: this.#pending?.sortKey };
    this.#layout.startChunk();
    this.#continue(from, decoded);
    this.#readWhole(from, decoded);
    while (from.left > 0) this.#begin(from, decoded);
    return decoded;
  }

  #continue(from: ByteReader, decoded: DecodedChunk<T>): void {
    const carried = from.varint();
    if (!this.#skipping && carried !== (this.#pending?.missing ?? 0))
      throw new Damage('a value does not go on where it must');
    const part = from.take(Math.min(carried, from.left));
    this.#skipping &&= part.length < carried;
    if (!this.#pending) return;
    this.#pending.missing -= part.length;
    if (this.#keepLongValues) this.#pending.parts.push(part);
    if (this.#pending.missing > 0) return;
    if (this.#keepLongValues) decoded.complete.push(this.#pending.complete(Buffer.concat(this.#pending.parts)));
    this.#pending = undefined;
  }

  #readWhole(from: ByteReader, decoded: DecodedChunk<T>): void {
    const page = this.#layout.readWhole?.(from);
    if (page === undefined || page.length === 0) return;
    decoded.page = page;
    decoded.begun += page.length;
    decoded.first ??= page.key(0);
  }

  #begin(from: ByteReader, decoded: DecodedChunk<T>): void {
    const begun = this.#layout.read(from);
    if (begun.valueBytes > MAX_VALUE_BYTES) throw new Damage(`a value claims ${begun.valueBytes} bytes`);
    decoded.begun++;
    decoded.first ??= begun.sortKey;
    if (begun.valueBytes <= from.left) decoded.complete.push(begun.complete(from.take(begun.valueBytes)));
    else this.#pending = { ...begun, missing: begun.valueBytes - from.left, parts: [from.take(from.left)] };
  }
}
