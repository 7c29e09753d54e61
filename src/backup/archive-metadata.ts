import { z } from 'zod';
import { CODECS, compressionLevelProblem } from '../config/compression-levels.js';
import { type Bytes, textOf, utf8 } from '../util/bytes.js';
import { Damage, FORMAT_VERSION } from './archive-format.js';
import { SCRYPT_LIMITS } from './encryption.js';
import type { ArchiveInfo, ArchiveStart } from './types.js';

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
const count = z.int().nonnegative();
/** Milliseconds since 1970, as far as a date can be made of them. */
const time = z.int().min(0).max(8_640_000_000_000_000);

const scryptSchema = z.object({
  name: z.literal('scrypt'),
  n: z
    .int()
    .min(2)
    .max(SCRYPT_LIMITS.n)
    .refine((n) => Number.isInteger(Math.log2(n))),
  r: z.int().min(1).max(SCRYPT_LIMITS.r),
  p: z.int().min(1).max(SCRYPT_LIMITS.p),
  salt: hex(16),
});

/** What anybody may read: who it is, what it rests on, how it is packed. */
const headerSchema = z.object({
  id: hex(8),
  storeId: z.string(),
  createdAtMs: time,
  parent: z.object({ id: hex(8), sha256: hex(32) }).optional(),
  compression: z
    .object({ type: z.enum(CODECS), level: z.int() })
    .refine((setting) => compressionLevelProblem(setting) === undefined),
  encryption: z
    .object({
      cipher: z.literal('aes-256-gcm'),
      kdf: z.discriminatedUnion('name', [scryptSchema, z.object({ name: z.literal('raw') })]),
      salt: hex(32),
      keyId: hex(8),
    })
    .optional(),
});
export type ArchiveHeader = z.infer<typeof headerSchema>;

/** What is known when the archive is begun and is nobody else's business. */
const detailsSchema = z.object({
  seq: count,
  timeMs: time,
  /** In an incremental archive: its changes are those after this one. */
  from: z.object({ seq: count, timeMs: time }).optional(),
  description: z.string(),
  tags: z.array(z.string()),
  schemaVersion: z.string().optional(),
  schemaMarks: z.array(z.object({ seq: count, version: z.string().exactOptional() })).optional(),
});
export type ArchiveDetails = z.infer<typeof detailsSchema>;

/** What is known when it is finished. */
const trailerSchema = z.object({
  chunkCount: count,
  recordCount: count,
  entryCount: count,
  uncompressedBytes: count,
  indexOffset: count,
});
export type ArchiveTrailer = z.infer<typeof trailerSchema>;

export const encodeJson = (value: ArchiveHeader | ArchiveDetails | ArchiveTrailer): Bytes =>
  utf8(JSON.stringify(value));

export const decodeHeaderJson = (json: Bytes): ArchiveHeader => decode(headerSchema, json, 'header');
export const decodeDetails = (json: Bytes): ArchiveDetails => decode(detailsSchema, json, 'details');
export const decodeTrailer = (json: Bytes): ArchiveTrailer => decode(trailerSchema, json, 'trailer');

function decode<T>(schema: z.ZodType<T>, json: Bytes, what: string): T {
  try {
    return schema.parse(JSON.parse(textOf(json) ?? ''));
  } catch {
    throw new Damage(`its ${what} does not decode`);
  }
}

export const headerOf = (start: ArchiveStart, encryption: ArchiveHeader['encryption']): ArchiveHeader => ({
  id: start.id,
  storeId: start.position.storeId,
  createdAtMs: start.createdAtMs,
  ...(start.parent && { parent: { id: start.parent.id, sha256: start.parent.sha256 } }),
  compression: { type: start.compression.type, level: start.compression.level },
  ...(encryption && { encryption }),
});

export const detailsOf = (start: ArchiveStart): ArchiveDetails => ({
  seq: start.position.seq,
  timeMs: start.position.timeMs,
  ...(start.parent && { from: { seq: start.parent.fromSeq, timeMs: start.parent.fromTimeMs } }),
  description: start.description,
  tags: [...start.tags],
  ...(start.schemaVersion !== undefined && { schemaVersion: start.schemaVersion }),
  ...(start.schemaMarks !== undefined && { schemaMarks: [...start.schemaMarks] }),
});

const SEALED_DETAILS: ArchiveDetails = { seq: 0, timeMs: 0, description: '', tags: [] };
const SEALED_TRAILER = { recordCount: 0, entryCount: 0, uncompressedBytes: 0 };

/** `inner` is what the encryption hides; undefined where the key is not known. */
export function infoOf(
  header: ArchiveHeader,
  inner: { details: ArchiveDetails; trailer: ArchiveTrailer } | undefined,
  file: { sizeBytes: number; sha256: string },
): ArchiveInfo {
  const { seq, timeMs, from, description, tags, schemaVersion, schemaMarks } = inner?.details ?? SEALED_DETAILS;
  const { recordCount, entryCount, uncompressedBytes } = inner?.trailer ?? SEALED_TRAILER;
  return {
    id: header.id,
    formatVersion: FORMAT_VERSION,
    createdAtMs: header.createdAtMs,
    position: { storeId: header.storeId, seq, timeMs },
    ...(header.parent && { parent: { ...header.parent, fromSeq: from?.seq ?? 0, fromTimeMs: from?.timeMs ?? 0 } }),
    description,
    tags,
    ...(schemaVersion !== undefined && { schemaVersion }),
    ...(schemaMarks !== undefined && { schemaMarks }),
    compression: header.compression,
    encrypted: header.encryption !== undefined,
    sealed: inner === undefined,
    recordCount,
    entryCount,
    uncompressedBytes,
    ...file,
  };
}
