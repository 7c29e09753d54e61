import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, LlmspellError } from '../../errors.js';
import { hasTables } from './tables/registry.js';

/** LevelDB's own file names, by what they are. */
const TABLE = /\.(ldb|sst)$/;
const LOG = /^\d+\.log$/;

async function list(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/**
 * What LevelDB does not look for itself: it makes an empty store over what is there where `CURRENT` is missing, and goes on
 * without the newest changes where the log is. Resolves with whether the store is new.
 */
export async function checkFiles(directory: string, wasOpenedBefore: boolean): Promise<boolean> {
  const database = join(directory, 'db');
  const files = await list(database);
  const hasData = files.some((name) => TABLE.test(name) || LOG.test(name));
  if (!files.includes('CURRENT')) {
    if (hasData || (await hasTables(directory))) throw missing(join(database, 'CURRENT'));
    return true;
  }
  // A store that is there always has a log, but for one whose making was interrupted.
  if (!files.some((name) => LOG.test(name)) && (hasData || wasOpenedBefore)) throw missing(join(database, '*.log'));
  return false;
}

/** The name of the log file that LevelDB writes now. */
export async function newestLog(directory: string): Promise<string> {
  const logs = (await list(join(directory, 'db'))).filter((name) => LOG.test(name));
  return logs.reduce((a, b) => (Number.parseInt(a, 10) > Number.parseInt(b, 10) ? a : b), '');
}

/** Of the logs together: what the next open has to read and to write again. */
export async function logBytes(directory: string): Promise<number> {
  const database = join(directory, 'db');
  const logs = (await list(database)).filter((name) => LOG.test(name));
  // LevelDB may remove one meanwhile.
  const sizes = await Promise.all(
    logs.map((name) =>
      stat(join(database, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((a, b) => a + b, 0);
}

const missing = (path: string): LlmspellError =>
  new LlmspellError('STATE_DAMAGED', `A file of the stored state is missing: ${path}.`, { subject: path });

/**
 * Whether LevelDB left records out when it read its log just now, which it tells in its own `LOG` only. It does so for a
 * record that does not fit its checksum: damaged, or the last one before a power cut. Whoever else tries to open the store moves that file
 * out of the way, before it finds out that the store is taken.
 */
export async function hasDroppedRecords(directory: string): Promise<boolean> {
  const told = await Promise.all(['LOG', 'LOG.old'].map((name) => textOf(join(directory, 'db', name))));
  return told.some((text) => /: dropping \d+ bytes/.test(text));
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}

export const damagedLog = (directory: string, what: string): LlmspellError =>
  new LlmspellError('STATE_DAMAGED', `The log of the stored state is damaged, ${what}: ${join(directory, 'db')}.`, {
    subject: join(directory, 'db'),
  });
