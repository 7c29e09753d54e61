import { type ClassReference, optional, parameter } from './model.js';

const success = parameter('success', 'boolean', 'whether it was done');
const error = optional('error', 'string', 'where it was not: what failed, and what to do');
const errors = optional('errors', 'string[]', 'the same, one by one');
const warnings = optional('warnings', 'string[]', 'what is worth knowing although it was done');
const durationMs = optional('duration_ms', 'integer', 'how long it took');
const backupFields = [
  parameter(
    'created_at',
    'integer',
    'whole Unix seconds, as `os.date` takes them; nil where it is so damaged that it no longer tells',
  ),
  parameter('created_at_ms', 'integer', 'Unix milliseconds; nil likewise'),
  parameter('size_bytes', 'integer', 'what the archive takes'),
  parameter('is_incremental', 'boolean', 'whether it rests on another one'),
  optional('parent_id', 'string', 'the one that it rests on'),
  parameter('entry_count', 'integer', 'how many entries the state had; nil likewise, and where its key is missing'),
  parameter('compression', 'string', '`zstd`, `gzip`, `lz4`, `brotli` or `none`'),
  parameter('description', 'string', 'what it is for'),
  parameter('tags', 'string[]', 'names to find it by'),
  parameter('pinned', 'boolean', 'whether retention leaves it alone'),
];

export const classes: readonly ClassReference[] = [
  {
    name: 'ListOptions',
    text: 'Which keys `State.list` returns.',
    fields: [
      optional('prefix', 'string', 'only keys that begin with it'),
      optional('after', 'string', 'only keys behind it, in byte order'),
      optional('limit', 'integer', 'at most so many'),
    ],
  },
  {
    name: 'HistoryOptions',
    text: 'How much `State.history` returns.',
    fields: [optional('limit', 'integer', 'the newest so many steps')],
  },
  {
    name: 'HistoryEntry',
    text: 'A step in the life of a key.',
    fields: [
      optional('value', 'llmspell.Value', 'nil where it was deleted'),
      parameter('deleted', 'boolean', 'whether it was deleted'),
      parameter('at_ms', 'integer', 'when, in Unix milliseconds'),
      parameter('seq', 'integer', 'the number of the change'),
    ],
  },
  {
    name: 'View',
    text: 'The state as it was. Its functions take what those of `State` take.',
    fields: [
      parameter('get', 'fun(scope: string, key?: string, default?: llmspell.Value): llmspell.Value', 'as `State.get`'),
      parameter('has', 'fun(scope: string, key?: string): boolean', 'as `State.has`'),
      parameter('list', 'fun(scope?: string, options?: llmspell.ListOptions): string[]', 'as `State.list`'),
      parameter('scopes', 'fun(): string[]', 'as `State.scopes`'),
    ],
  },
  {
    name: 'BackupOptions',
    text: 'What kind of backup to make.',
    fields: [
      optional('incremental', 'boolean', 'only what changed since the last one'),
      optional('description', 'string', 'what it is for'),
      optional('tags', 'string[]', 'names to find it by'),
      optional('pin', 'boolean', 'retention never removes it'),
    ],
  },
  {
    name: 'CreatedBackup',
    text: 'What `State.create_backup` made. Where it failed there are only `success`, `error` and `errors`.',
    fields: [
      success,
      error,
      errors,
      parameter('backup_id', 'string', 'its id'),
      ...backupFields,
      parameter('uncompressed_bytes', 'integer', 'what its content takes'),
      durationMs,
      warnings,
    ],
  },
  {
    name: 'Backup',
    text: 'A backup as `State.list_backups` tells it.',
    fields: [
      parameter('id', 'string', 'its id'),
      ...backupFields,
      optional('damage', 'string', 'what is wrong with the archive'),
      optional('schema_version', 'string', 'the version of the schema of the state, where it has one'),
    ],
  },
  {
    name: 'BackupFilter',
    text: 'Which backups are listed.',
    fields: [
      optional('tag', 'string', 'only those with this tag'),
      optional('since', 'number', 'only those made at or after it, in Unix seconds'),
      optional('limit', 'integer', 'the newest so many'),
    ],
  },
  {
    name: 'RestoreOptions',
    text: 'What is restored, and how.',
    fields: [
      optional('dry_run', 'boolean', 'only say what would be done'),
      optional('scopes', 'string[]', 'only these'),
      optional('preserve_untracked', 'boolean', 'keep entries that the backup does not have'),
      optional('backup_current', 'boolean', 'default true: keep the present state as a rollback point'),
      optional('verify', 'boolean', 'default true: read the whole chain first'),
    ],
  },
  {
    name: 'RestoreResult',
    text: 'What a restore did. Where it failed there are only `success`, `error` and `errors`.',
    fields: [
      success,
      error,
      errors,
      optional('backup_id', 'string', 'the backup that it rests on'),
      parameter('dry_run', 'boolean', 'whether nothing was changed'),
      parameter('entries_restored', 'integer', 'how many entries were written'),
      parameter('entries_deleted', 'integer', 'how many were there and are not in the backup'),
      optional('rollback_id', 'string', 'restores what was there before'),
      parameter('chain', 'string[]', 'the archives that were read, base first'),
      optional('restored_to', 'number', 'with `restore_to`: the moment of the last change in it, in Unix seconds'),
      durationMs,
      warnings,
    ],
  },
  {
    name: 'Validation',
    text: 'What `State.validate_backup` found.',
    fields: [
      parameter('backup_id', 'string', 'its id'),
      parameter('is_valid', 'boolean', 'whether it restores'),
      parameter('checksum_valid', 'boolean', 'whether every byte is as it was written'),
      parameter('integrity_valid', 'boolean', 'whether every entry can be decoded'),
      parameter('chain_valid', 'boolean', 'whether all that it rests on is there and right'),
      parameter('errors', 'string[]', 'what is wrong'),
      parameter('warnings', 'string[]', 'what is worth knowing'),
      parameter('validated_at', 'integer', 'Unix seconds'),
      parameter('duration_ms', 'integer', 'how long it took'),
    ],
  },
  { name: 'Outcome', text: 'Whether something was done.', fields: [success, error, errors] },
  {
    name: 'CleanupDecision',
    text: 'What becomes of a backup, and why.',
    fields: [parameter('id', 'string', 'its id'), parameter('reason', 'string', 'why')],
  },
  {
    name: 'Cleanup',
    text: 'What `State.cleanup_backups` did.',
    fields: [
      success,
      error,
      errors,
      parameter('dry_run', 'boolean', 'whether nothing was deleted'),
      parameter('deleted_count', 'integer', 'how many went'),
      parameter('retained_count', 'integer', 'how many stay'),
      parameter('space_freed', 'integer', 'bytes'),
      parameter('deleted', 'llmspell.CleanupDecision[]', 'those that went'),
      parameter('kept', 'llmspell.CleanupDecision[]', 'those that stay'),
    ],
  },
  {
    name: 'StorageUsage',
    text: 'What the backups take.',
    fields: [
      parameter('total_backups', 'integer', 'how many there are'),
      parameter('total_size', 'integer', 'bytes'),
      parameter('full_backups', 'integer', 'how many are full'),
      parameter('incremental_backups', 'integer', 'how many are incremental'),
      optional('oldest_backup', 'string', 'its id'),
      optional('newest_backup', 'string', 'its id'),
    ],
  },
  {
    name: 'EntryName',
    text: 'The name of an entry.',
    fields: [parameter('scope', 'string', 'its scope'), parameter('key', 'string', 'its key')],
  },
  {
    name: 'Difference',
    text: 'Which entries differ.',
    fields: [
      parameter('added', 'llmspell.EntryName[]', 'not in the first one'),
      parameter('changed', 'llmspell.EntryName[]', 'other values'),
      parameter('removed', 'llmspell.EntryName[]', 'not in the second one'),
    ],
  },
  {
    name: 'ProgressEvent',
    text: 'How far an operation is.',
    fields: [
      parameter('operation', 'string', '`backup`, `restore`, …'),
      parameter('phase', 'string', 'what it does at the moment'),
      optional('backup_id', 'string', 'of which backup'),
      parameter('done', 'integer', 'how much is done of the phase'),
      optional('total', 'integer', 'of how much, where that is known'),
      optional('percent', 'number', '0 to 100, where that is known'),
      optional('message', 'string', 'a sentence'),
    ],
  },
  {
    name: 'MigrationResult',
    text: 'What `State.migrate` did.',
    fields: [
      success,
      optional('status', '"completed"|"already_current"', 'how it ended'),
      optional('from_version', 'string', 'the version before'),
      optional('to_version', 'string', 'the version now'),
      optional('items_migrated', 'integer', 'how many entries were changed'),
      durationMs,
      warnings,
      errors,
      error,
    ],
  },
  {
    name: 'MigrationStatus',
    text: 'The versions of the state.',
    fields: [
      optional('current_version', 'string', 'of the state'),
      optional('latest_version', 'string', 'the newest one there is'),
      parameter('is_latest', 'boolean', 'whether both are the same'),
      parameter('migration_available', 'boolean', 'whether there is a newer one'),
      parameter('total_schemas', 'integer', 'how many versions there are'),
      parameter('migration_targets', 'string[]', 'the versions that it can be brought to'),
      error,
    ],
  },
];
