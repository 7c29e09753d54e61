import { readFile } from 'node:fs/promises';
import type { BackupOptions, EncryptionKey } from '../backup/types.js';
import type { BackupConfig } from '../config/schema.js';
import { LlmspellError } from '../errors.js';

/** The backup section of the configuration as the backup manager takes it. */
export function backupOptions(config: BackupConfig, env: NodeJS.ProcessEnv): BackupOptions {
  return {
    compression: {
      type: config.compression_enabled ? config.compression_type : 'none',
      level: config.compression_level,
    },
    incrementalEnabled: config.incremental_enabled,
    fullIntervalSeconds: config.full_backup_interval,
    maxChainLength: config.max_chain_length,
    retention: {
      maxBackups: config.max_backups,
      maxAgeSeconds: config.max_backup_age,
      keepHourly: config.keep_hourly,
      keepDaily: config.keep_daily,
      keepWeekly: config.keep_weekly,
      keepMonthly: config.keep_monthly,
    },
    ...(config.encryption_enabled && { encryptionKey: () => encryptionKey(config, env) }),
  };
}

/** The passphrase that the configuration names. Encryption is never silently off: without one nothing is written or read. */
async function encryptionKey(config: BackupConfig, env: NodeJS.ProcessEnv): Promise<EncryptionKey> {
  const { encryption_key_env: variable, encryption_key_file: file } = config;
  const passphrase = variable !== '' ? env[variable] : file !== '' ? await keyFile(file) : undefined;
  if (passphrase) return { kind: 'passphrase', passphrase };
  throw new LlmspellError('BACKUP_KEY', missing(variable, file));
}

function missing(variable: string, file: string): string {
  if (variable !== '')
    return `Backups are encrypted, but the environment variable ${variable} with the passphrase is not set.`;
  if (file !== '') return `Backups are encrypted, but the key file ${file} is empty.`;
  return 'Backups are encrypted, but neither encryption_key_env nor encryption_key_file is set.';
}

/** The file's text without the line end that editors put behind it. */
async function keyFile(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (cause) {
    throw new LlmspellError('BACKUP_KEY', `Backups are encrypted, but the key file ${path} cannot be read.`, { cause });
  }
}
