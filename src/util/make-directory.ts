import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../errors.js';

/**
 * Makes a directory and those above it that are not there. Returns the topmost one that it made; undefined where it was there. Rejects as `mkdir`
 * does, with `ENOTDIR` where something else is there. (That of Node with `recursive` never comes back where the system says ENOENT below a directory that is there, as in `/proc`.)
 */
export async function makeDirectory(path: string, mode = 0o777): Promise<string | undefined> {
  const error = await attempt(path, mode);
  if (error === undefined) return path;
  if (errnoOf(error) === 'EEXIST') return await assertDirectory(path);
  if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
  const made = await makeDirectory(dirname(path), mode);
  const second = await attempt(path, mode);
  if (errnoOf(second) === 'EEXIST') await assertDirectory(path);
  else if (second !== undefined) throw second;
  return made ?? path;
}

async function attempt(path: string, mode: number): Promise<Error | undefined> {
  try {
    await mkdir(path, { mode });
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

async function assertDirectory(path: string): Promise<undefined> {
  if (!(await stat(path)).isDirectory())
    throw Object.assign(new Error(`ENOTDIR: not a directory, '${path}'`), { code: 'ENOTDIR', syscall: 'mkdir', path });
}
