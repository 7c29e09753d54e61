import type { FileHandle } from 'node:fs/promises';
import { errnoOf, LlmspellError } from '../errors.js';
import { atomicWrite } from './atomic-write.js';

/** Writes a file that somebody named, all of it or nothing; what stands there is replaced. Throws `OUTPUT_FAILED`, and our own errors of `write`. */
export async function outputFile<T>(path: string, write: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    return await atomicWrite(path, write);
  } catch (error) {
    if (error instanceof LlmspellError || errnoOf(error) === undefined) throw error;
    throw new LlmspellError('OUTPUT_FAILED', `${path} cannot be written (${errnoOf(error)}).`, {
      subject: path,
      cause: error,
    });
  }
}
