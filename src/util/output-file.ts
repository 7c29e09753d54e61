import { type FileHandle, stat } from 'node:fs/promises';
import { errnoOf, LlmspellError } from '../errors.js';
import { atomicWrite } from './atomic-write.js';
import { removeLeftovers } from './leftovers.js';

/**
 * Writes a file that somebody named, all of it or nothing. Throws `OUTPUT_FAILED`, also where there is a file already that is not to be replaced,
 * and our own errors of `write`.
 */
export async function outputFile<T>(
  path: string,
  { replace }: { replace: boolean },
  write: (file: FileHandle) => Promise<T>,
): Promise<T> {
  if (!replace && (await stat(path).catch(() => undefined))) throw alreadyThere(path);
  try {
    await removeLeftovers(path);
    return await atomicWrite(path, write);
  } catch (error) {
    if (error instanceof LlmspellError || errnoOf(error) === undefined) throw error;
    throw new LlmspellError('OUTPUT_FAILED', `${path} cannot be written (${errnoOf(error)}).`, {
      subject: path,
      cause: error,
    });
  }
}

const alreadyThere = (path: string) =>
  new LlmspellError('OUTPUT_FAILED', `There is already a file ${path}.`, {
    subject: path,
    hint: 'Choose another name, or replace it with --force.',
  });
