import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { randomHex } from './hash.js';

/** Leftovers of a killed process carry this mark; whoever owns the directory may remove them. */
export const TEMPORARY_MARK = '.tmp-';

/** A name beside `path` for what is not whole yet; it tells whose it is. */
export const temporaryName = (path: string): string => `${path}${TEMPORARY_MARK}${process.pid}-${randomHex(4)}`;

/** Makes a directory's entries (a rename, a removal) survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Writes a file so that `path` holds either what it held before or all of the new content, also after a power cut:
 * temporary name, write, fsync, rename, fsync of the directory, in this order. On any failure the temporary file is
 * removed and the error is passed on. The file gets mode 0600.
 */
export async function atomicWrite<T>(path: string, write: (file: FileHandle) => Promise<T>): Promise<T> {
  const temporary = temporaryName(path);
  const file = await open(temporary, 'wx+', 0o600);
  try {
    const result = await write(file);
    await file.sync();
    await file.close();
    await rename(temporary, path);
    await syncDirectory(dirname(path));
    return result;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}
