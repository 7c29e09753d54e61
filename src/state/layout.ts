import { LlmspellError } from '../errors.js';
import { type Bytes, copyBytes, printable, utf8 } from '../util/bytes.js';
import { crc32, crc32Of } from '../util/hash.js';
import type { BackendOperation, KeyBounds, LoadRange } from './backend.js';
import { decodeKey } from './key.js';
import type { StoredValue } from './types.js';

/**
 * How the store lays itself out in a backend. The first byte of a key is the table:
 *
 * | table | key after it | value |
 * | --- | --- | --- |
 * | 2 | name | the store's own documents (`catalog.ts`), JSON |
 * | 3 | name | the documents of `setMeta` |
 * | 4 | generation (32 bits), raw key (`key.ts`) | an entry, MessagePack |
 * | 5 | timeline (32 bits), raw key | an entry as it was where the kept history begins (`past.ts`), MessagePack |
 *
 * Every value is sealed: the sequence number of the change that wrote it (48 bits; 0 where none did), the content, then the
 * CRC-32 (32 bits) of its name (what comes after table and number in the key), that number and the content. All numbers are
 * big-endian.
 */
const TABLE = { own: 2, user: 3, entries: 4, floor: 5 } as const;

export const SEQ_BYTES = 6;
export const CRC_BYTES = 4;
/** What sealing adds. */
export const SEAL_BYTES = SEQ_BYTES + CRC_BYTES;
export const PREFIX_BYTES = 5;

export const ownKey = (name: string): Bytes => concat(Uint8Array.of(TABLE.own), utf8(name));
export const userKey = (name: string): Bytes => concat(Uint8Array.of(TABLE.user), utf8(name));
export const generationPrefix = (generation: number): Bytes => numbered(TABLE.entries, generation);
export const floorPrefix = (timeline: number): Bytes => numbered(TABLE.floor, timeline);

export function concat(a: Bytes, b: Bytes): Bytes {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

function numbered(table: number, number: number): Bytes {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix[0] = table;
  prefix.writeUInt32BE(number, 1);
  return prefix;
}

/** The raw key of a stored entry. */
export const rawOf = (stored: Bytes): Bytes =>
  new Uint8Array(stored.buffer, stored.byteOffset + PREFIX_BYTES, stored.length - PREFIX_BYTES);

/** Everything that a generation or a floor holds. */
export function allOf(prefix: Bytes): LoadRange {
  const end = Buffer.from(prefix);
  end.writeUIntBE(end.readUIntBE(0, PREFIX_BYTES) + 1, 0, PREFIX_BYTES);
  return { gte: prefix, lt: end };
}

/** The reverse of {@link generationPrefix}, from a key of an entry. */
export const generationOf = (key: Bytes): number => new DataView(key.buffer, key.byteOffset).getUint32(1);

/** Sets a document of `setMeta`, or removes it. */
export function putMeta(name: string, value: Bytes | null): BackendOperation {
  const key = userKey(name);
  return value === null ? { type: 'del', key } : { type: 'put', key, value: seal(utf8(name), 0, value) };
}

/** All documents of `setMeta`. */
export const USER_TABLE: KeyBounds = { gte: Uint8Array.of(TABLE.user), lt: Uint8Array.of(TABLE.user + 1) };

export function seal(name: Bytes, seq: number, content: Bytes): Bytes {
  const sealed = Buffer.allocUnsafe(SEAL_BYTES + content.length);
  const end = sealed.length - CRC_BYTES;
  sealed.writeUIntBE(seq, 0, SEQ_BYTES);
  sealed.set(content, SEQ_BYTES);
  sealed.writeUInt32BE(crc32(sealed.subarray(0, end), crc32(name)), end);
  return sealed;
}

/** Writes keys and sealed values of many entries into one block, from a block that holds their raw keys and values. */
export class EntryWriter {
  readonly #prefix: Bytes;
  readonly #source: Bytes;
  readonly #bytes: Bytes;
  readonly #buffer: ArrayBufferLike;
  readonly #view: DataView;
  #at = 0;

  /** @param sourceBytes of keys and values together */
  constructor(prefix: Bytes, source: Bytes, entries: number, sourceBytes: number) {
    this.#prefix = prefix;
    this.#source = source;
    this.#bytes = new Uint8Array(sourceBytes + entries * (PREFIX_BYTES + SEAL_BYTES));
    this.#buffer = this.#bytes.buffer;
    this.#view = new DataView(this.#buffer);
  }

  /** The key as the backend has it, of the raw key `source[start..end)`. */
  key(start: number, end: number): Bytes {
    const from = this.#at;
    copyBytes(this.#prefix, 0, PREFIX_BYTES, this.#bytes, from);
    copyBytes(this.#source, start, end, this.#bytes, from + PREFIX_BYTES);
    this.#at = from + PREFIX_BYTES + end - start;
    return this.#since(from);
  }

  /** The sealed value of the entry whose {@link key} was written last; it follows the key, up to `valueEnd`. */
  seal(keyStart: number, keyEnd: number, valueEnd: number, seq: number): Bytes {
    const from = this.#at;
    this.#view.setUint16(from, Math.floor(seq / 2 ** 32));
    this.#view.setUint32(from + 2, seq >>> 0);
    copyBytes(this.#source, keyEnd, valueEnd, this.#bytes, from + SEQ_BYTES);
    const end = from + SEQ_BYTES + valueEnd - keyEnd;
    // Key, number and content lie side by side: one checksum over all of them.
    this.#view.setUint32(end, crc32Of(this.#bytes, from - (keyEnd - keyStart), end));
    this.#at = end + CRC_BYTES;
    return this.#since(from);
  }

  /** Twice as fast as a subarray. */
  #since(from: number): Bytes {
    return new Uint8Array(this.#buffer, from, this.#at - from);
  }
}

/** The content of a sealed value, or undefined where its checksum does not fit. */
export function unseal(name: Bytes, sealed: Bytes): StoredValue | undefined {
  const end = sealed.length - CRC_BYTES;
  if (end < SEQ_BYTES) return undefined;
  if (sealedChecksum(sealed) !== checksumOf(name, sealed, end)) return undefined;
  return { seq: uint32At(sealed, 0) * 2 ** 16 + sealed[4]! * 2 ** 8 + sealed[5]!, value: sealedContent(sealed) };
}

/** The checksum that a sealed value carries. */
export const sealedChecksum = (sealed: Bytes): number => uint32At(sealed, sealed.length - CRC_BYTES);

/** Where name and value lie side by side, as in a scanned page, one checksum goes over both. */
function checksumOf(name: Bytes, sealed: Bytes, end: number): number {
  const isJoined = name.buffer === sealed.buffer && name.byteOffset + name.length === sealed.byteOffset;
  if (isJoined) return crc32(new Uint8Array(name.buffer, name.byteOffset, name.length + end));
  return crc32(sealed.subarray(0, end), crc32(name));
}

const uint32At = (bytes: Bytes, at: number): number =>
  bytes[at]! * 2 ** 24 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);

/** Without looking at the checksum: for what has never left this process. */
export const sealedContent = (sealed: Bytes): Bytes =>
  new Uint8Array(sealed.buffer, sealed.byteOffset + SEQ_BYTES, sealed.length - SEAL_BYTES);

/** {@link unseal} of an entry; throws `STATE_DAMAGED` naming scope and key where the checksum does not fit. */
export function unsealEntry(raw: Bytes, sealed: Bytes): StoredValue {
  const entry = unseal(raw, sealed);
  if (entry === undefined) throw damagedEntry(raw);
  return entry;
}

function damagedEntry(raw: Bytes): LlmspellError {
  const name = nameOfEntry(raw);
  return new LlmspellError('STATE_DAMAGED', `The stored value of ${name} is damaged: its checksum does not fit.`, {
    subject: name,
  });
}

/** The error of a read, telling which entry was to be read where the backend found damage. */
export function readError(error: unknown, raw: Bytes): unknown {
  if (!(error instanceof LlmspellError) || error.code !== 'STATE_DAMAGED') return error;
  const name = nameOfEntry(raw);
  if (error.subject === name) return error;
  return new LlmspellError('STATE_DAMAGED', `The stored value of ${name} cannot be read. ${error.message}`, {
    subject: name,
    cause: error,
  });
}

/** A raw key for people. */
export function nameOfEntry(raw: Bytes): string {
  const entry = decodeKey(raw);
  return entry === undefined ? printable(raw) : `"${printable(entry.key)}" in scope "${printable(entry.scope)}"`;
}
