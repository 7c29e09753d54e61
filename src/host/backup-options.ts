import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
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

/** The key that the configuration names. Encryption is never silently off: without one nothing is written or read. */
async function encryptionKey(config: BackupConfig, env: NodeJS.ProcessEnv): Promise<EncryptionKey> {
  const { encryption_key_env: variable, encryption_key_file: file, encryption_key_format: format } = config;
  if (variable !== '') return keyOf(env[variable], format, `the environment variable ${variable}`);
  if (file !== '') return keyOf(await keyFile(file), format, `the key file ${file}`);
  throw new LlmspellError(
    'BACKUP_KEY',
    'The key of encrypted backups is missing: neither encryption_key_env nor encryption_key_file is set.',
  );
}

/**
 * A key as a command is given it: `env:NAME` or `file:PATH` with a passphrase, `raw-env:NAME` or `raw-file:PATH` with a raw key, or `none`
 * (null). Throws `USAGE` and `BACKUP_KEY`.
 */
export async function keyFromSource(
  source: string,
  { env, cwd }: { env: NodeJS.ProcessEnv; cwd: string },
): Promise<EncryptionKey | null> {
  if (source === 'none') return null;
  const [, raw, place, name] = /^(raw-)?(env|file):(.+)$/.exec(source) ?? [];
  if (name === undefined)
    throw new LlmspellError('USAGE', `${JSON.stringify(source)} does not say where a key is.`, {
      hint: 'Write env:NAME, file:PATH, raw-env:NAME, raw-file:PATH or none.',
    });
  const format = raw ? 'raw' : 'passphrase';
  if (place === 'env') return keyOf(env[name], format, `the environment variable ${name}`);
  return keyOf(await keyFile(resolve(cwd, name)), format, `the key file ${name}`);
}

function keyOf(text: string | undefined, format: BackupConfig['encryption_key_format'], place: string): EncryptionKey {
  if (!text)
    throw new LlmspellError('BACKUP_KEY', `The key of encrypted backups is missing: ${place} is empty or not there.`);
  if (format === 'passphrase') return { kind: 'passphrase', passphrase: text };
  if (/^[0-9a-f]{64}$/i.test(text.trim())) return { kind: 'raw', bytes: Buffer.from(text.trim(), 'hex') };
  throw new LlmspellError('BACKUP_KEY', `What is in ${place} is not a raw key: 64 hexadecimal digits.`);
}

/** The file's text without the line end that editors put behind it. */
async function keyFile(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (cause) {
    throw new LlmspellError(
      'BACKUP_KEY',
      `The key of encrypted backups is missing: the key file ${path} cannot be read.`,
      { cause },
    );
  }
}
