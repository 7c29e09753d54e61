import { type FileHandle, open } from 'node:fs/promises';
import { errnoOf, LlmspellError } from '../errors.js';
import type { ArchiveSource } from './types.js';

const NO_ACCESS: [string, string] = ['cannot be written to or read', 'Check its owner and mode.'];
const NO_DIRECTORY: [string, string] = ['is not a directory', 'Name another `backup_dir`.'];
const NO_SPACE: [string, string] = [
  'has no space left',
  'Nothing was left behind. Free some space, or delete backups that are no longer needed.',
];
const WORDS: Record<string, [string, string]> = {
  ENOSPC: NO_SPACE,
  EDQUOT: NO_SPACE,
  EFBIG: NO_SPACE,
  EACCES: NO_ACCESS,
  EPERM: NO_ACCESS,
  EROFS: ['is read-only', 'Name another `backup_dir`, or make it writable.'],
  ENOTDIR: NO_DIRECTORY,
  EEXIST: NO_DIRECTORY,
};

/** A failed system call as one sentence that names the directory; our own errors and an abort pass as they are. */
export function directoryFailure(error: unknown, directory: string): unknown {
  const errno = errnoOf(error);
  const isSystemCall = error instanceof Error && errno !== undefined && 'syscall' in error;
  if (!isSystemCall || error instanceof LlmspellError) return error;
  const [what, hint] = WORDS[errno] ?? [`cannot be used (${errno})`, 'Check the directory and try again.'];
  return new LlmspellError('BACKUP_FAILED', `The backup directory ${directory} ${what}.`, {
    subject: directory,
    hint,
    cause: error,
  });
}

/** An archive in a file. */
export class FileSource implements ArchiveSource {
  readonly name: string;
  readonly sizeBytes: number;
  readonly #file: FileHandle;

  private constructor(file: FileHandle, name: string, sizeBytes: number) {
    this.#file = file;
    this.name = name;
    this.sizeBytes = sizeBytes;
  }

  static async open(path: string): Promise<FileSource> {
    const file = await open(path, 'r');
    return new FileSource(file, path, (await file.stat()).size);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset + length > this.sizeBytes) throw this.#tooShort(offset + length);
    const bytes = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; ) {
      const { bytesRead } = await this.#file.read(bytes, at, length - at, offset + at);
      if (bytesRead === 0) throw this.#tooShort(offset + length);
      at += bytesRead;
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #tooShort(wanted: number): LlmspellError {
    const message = `The archive ${this.name} is cut short: it has ${this.sizeBytes} bytes of at least ${wanted}.`;
    return new LlmspellError('BACKUP_DAMAGED', message, { subject: this.name });
  }
}
