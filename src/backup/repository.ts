import { LlmspellError } from '../errors.js';
import { randomHex } from '../util/hash.js';

const ID = /^[0-9a-f]{16}$/;

export const isBackupId = (text: string): boolean => ID.test(text);

export const newBackupId = (): string => randomHex(8);

/** Throws `BACKUP_ID_INVALID` for anything but an id, so that no name of a caller's making ever reaches a path. */
export function assertBackupId(id: string): void {
  if (isBackupId(id)) return;
  throw new LlmspellError('BACKUP_ID_INVALID', `${JSON.stringify(id)} is not a backup id (16 hexadecimal digits).`, {
    subject: id,
  });
}

export const backupNotFound = (id: string, location: string): LlmspellError =>
  new LlmspellError('BACKUP_NOT_FOUND', `There is no backup ${id} in ${location}.`, { subject: id });
