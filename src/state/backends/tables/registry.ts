import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, LlmspellError } from '../../../errors.js';
import { type Bytes, textOf, utf8 } from '../../../util/bytes.js';
import { crc32 } from '../../../util/hash.js';
import type { BackendEntry, BackendOperation, KeyBounds, LoadRange } from '../../backend.js';
import { missingTable, type TableFacts } from './table.js';

/**
 * What is kept of tables beside their files, under keys of the backend's own: for each its record, 0x00 0xFF and its number (32 bits, big-endian):
 * JSON and its CRC-32; and for each entry of a table that was deleted since a mark, 0x00 0xFE and its key. A file without a record
 * does not count.
 */
const RECORD = Uint8Array.of(0, 0xff);
const DELETION = Uint8Array.of(0, 0xfe);
const NO_BYTES: Bytes = new Uint8Array(0);
const SUFFIX = '.table';

export const ALL_RECORDS: KeyBounds = { gte: RECORD, lt: Uint8Array.of(1) };

export const tablePath = (directory: string, number: number): string =>
  join(directory, 'tables', `${String(number).padStart(6, '0')}${SUFFIX}`);

export function putRecord({ number, gte, lt, sizeBytes }: TableFacts): BackendOperation {
  const json = utf8(JSON.stringify({ gte: hexOf(gte), lt: hexOf(lt), sizeBytes }));
  const value = Buffer.alloc(json.length + 4);
  value.set(json);
  value.writeUInt32BE(crc32(json), json.length);
  return { type: 'put', key: recordKey(number), value };
}

export const deleteRecord = (number: number): BackendOperation => ({ type: 'del', key: recordKey(number) });

/** Throws `STATE_DAMAGED`. */
export function readRecord([key, value]: BackendEntry, directory: string): TableFacts {
  const number = Buffer.from(key).readUInt32BE(RECORD.length);
  const json = value.subarray(0, -4);
  if (value.length < 4 || crc32(json) !== Buffer.from(value).readUInt32BE(json.length)) {
    const path = tablePath(directory, number);
    throw new LlmspellError('STATE_DAMAGED', `What the stored state knows of a file of its own is damaged: ${path}.`, {
      subject: path,
    });
  }
  const { gte, lt, sizeBytes } = JSON.parse(textOf(json)!) as { gte: string; lt: string; sizeBytes: number };
  return { number, gte: Buffer.from(gte, 'hex'), lt: Buffer.from(lt, 'hex'), sizeBytes };
}

function recordKey(number: number): Bytes {
  const key = Buffer.alloc(RECORD.length + 4);
  key.set(RECORD);
  key.writeUInt32BE(number, RECORD.length);
  return key;
}

const hexOf = (bytes: Bytes): string => Buffer.from(bytes).toString('hex');

export const putDeletion = (key: Bytes): BackendOperation => ({ type: 'put', key: deletionKey(key), value: NO_BYTES });

export const deletionKey = (key: Bytes): Bytes => Buffer.concat([DELETION, key]);

/** The deleted key. */
export const deletedKey = (stored: Bytes): Bytes => stored.subarray(DELETION.length);

/** The marks of a range. */
export const deletionsIn = ({ gte, lt }: LoadRange): KeyBounds => ({ gte: deletionKey(gte), lt: deletionKey(lt) });

/** Throws `STATE_DAMAGED` where the file is not there, or of another size. */
export async function assertFile(path: string, { sizeBytes }: TableFacts): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    throw errnoOf(error) === 'ENOENT' ? missingTable(path) : error;
  });
  if (found.size === sizeBytes) return;
  const message = `A file of the stored state has ${found.size} bytes instead of ${sizeBytes}: ${path}.`;
  throw new LlmspellError('STATE_DAMAGED', message, { subject: path });
}

/** Removes what killed processes left: files without a record, and unfinished ones. Returns the greatest number that a file has. */
export async function removeLeftovers(directory: string, known: ReadonlySet<number>): Promise<number> {
  let greatest = 0;
  for (const name of await filesIn(directory)) {
    const number = Number.parseInt(name, 10);
    if (name.endsWith(SUFFIX) && known.has(number)) greatest = Math.max(greatest, number);
    else await unlink(join(directory, 'tables', name));
  }
  return greatest;
}

/** Whether any tables are there. */
export const hasTables = async (directory: string): Promise<boolean> =>
  (await filesIn(directory)).some((name) => name.endsWith(SUFFIX));

async function filesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(join(directory, 'tables'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
