import { LlmspellError } from '../errors.js';
import { backupNotFound } from './repository.js';
import type { BackupRecord } from './types.js';

/**
 * The backup that an id, the beginning of one, or `latest` means.
 * Throws `BACKUP_ID_INVALID`, `BACKUP_NOT_FOUND`, `BACKUP_AMBIGUOUS`.
 *
 * @param records oldest first.
 */
export function findRecord(reference: string, records: readonly BackupRecord[], location: string): BackupRecord {
  if (reference === 'latest') return newest(records, location);
  const beginning = reference.toLowerCase();
  if (!/^[0-9a-f]{1,16}$/.test(beginning)) {
    const message = `${JSON.stringify(reference)} is not a backup id (up to 16 hexadecimal digits).`;
    throw new LlmspellError('BACKUP_ID_INVALID', message, { subject: reference });
  }
  const matches = records.filter((record) => record.id.startsWith(beginning));
  const [match, other] = matches;
  if (!match) throw backupNotFound(reference, location);
  if (!other) return match;
  const ids = matches.map((record) => record.id).join(', ');
  throw new LlmspellError('BACKUP_AMBIGUOUS', `${reference} may be any of these backups: ${ids}.`, {
    subject: reference,
  });
}

function newest(records: readonly BackupRecord[], location: string): BackupRecord {
  const record = records.findLast(({ damage }) => damage === undefined) ?? records.at(-1);
  if (record) return record;
  throw new LlmspellError('BACKUP_NOT_FOUND', `There is no backup in ${location} yet.`, {
    hint: 'Make one with `llmspell backup create`.',
  });
}
