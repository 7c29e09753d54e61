import { CODECS } from './compression-levels.js';
import {
  boolean,
  type ConfigOf,
  choice,
  integer,
  names,
  number,
  optionalSection,
  path,
  paths,
  section,
  text,
} from './fields.js';

const MAX = Number.MAX_SAFE_INTEGER;
const GIB = 1024 ** 3;
const DAY_SECONDS = 86_400;

const BACKUP = optionalSection('Backups. Without this section scripts have no backup functions.', {
  backup_dir: path('./backups', 'Directory that holds the archives.'),
  compression_enabled: boolean(true, 'Whether archives are compressed.'),
  compression_type: choice('zstd', CODECS, 'How archives are compressed.'),
  compression_level: integer(
    3,
    { min: 0, max: MAX },
    'zstd 1–22, gzip 1–9, brotli 0–11: higher is smaller and slower. lz4 has no levels.',
  ),
  incremental_enabled: boolean(true, 'Whether incremental backups may be made; where not, every backup is a full one.'),
  full_backup_interval: integer(
    7 * DAY_SECONDS,
    { min: 0, max: MAX },
    'Seconds after which an incremental becomes a full one; 0: never.',
  ),
  max_chain_length: integer(50, { min: 1, max: 10_000 }, 'Backups in one chain, the full one counted.'),
  max_backups: integer(10, { min: 0, max: MAX }, 'The newest so many are kept; 0: no limit.'),
  max_backup_age: integer(30 * DAY_SECONDS, { min: 0, max: MAX }, 'Seconds a backup is kept; 0: no limit.'),
  keep_hourly: integer(0, { min: 0, max: MAX }, 'The newest backup of each of the last so many hours is kept as well.'),
  keep_daily: integer(0, { min: 0, max: MAX }, 'The newest backup of each of the last so many days is kept as well.'),
  keep_weekly: integer(0, { min: 0, max: MAX }, 'The newest backup of each of the last so many weeks is kept as well.'),
  keep_monthly: integer(
    0,
    { min: 0, max: MAX },
    'The newest backup of each of the last so many months is kept as well.',
  ),
  encryption_enabled: boolean(
    false,
    'AES-256-GCM. Never silently off: without a usable key no backup is made. Needs one of the next two keys.',
  ),
  encryption_key_env: text('', 'Name of the environment variable that holds the key.'),
  encryption_key_file: path('', 'File that holds the key.'),
  encryption_key_format: choice(
    'passphrase',
    ['passphrase', 'raw'],
    'What the key is: a passphrase, from which one is derived with scrypt, or the key itself, as 64 hexadecimal digits.',
  ),
});

const HISTORY = section('The record of every change, for point-in-time recovery and State.history.', {
  enabled: boolean(true, 'Whether every change is kept.'),
  max_age: integer(
    7 * DAY_SECONDS,
    { min: 0, max: MAX },
    'Seconds a change is kept; what backups already hold may be forgotten earlier.',
  ),
  max_bytes: integer(GIB, { min: 0, max: MAX }, 'Bytes the kept changes may take; in memory 64 MiB at the most.'),
});

const STATE_PERSISTENCE = section('The state that scripts see as `State`.', {
  enabled: boolean(true, 'Whether scripts have a State.'),
  backend_type: choice(
    'level',
    ['level', 'memory'],
    '"level": on disk; "memory": gone when the process ends. "sled" and "rocksdb" are accepted and mean "level".',
    { sled: 'level', rocksdb: 'level' },
  ),
  path: path('.llmspell/state', 'Directory that holds the state (level).'),
  durability: choice(
    'interval',
    ['always', 'interval', 'none'],
    '"always": set returns when it is on disk; "interval": on disk within flush_interval_ms; "none": when the system likes.',
  ),
  flush_interval_ms: integer(50, { min: 1, max: 3_600_000 }, 'Milliseconds (durability "interval").'),
  max_state_size_bytes: integer(10_000_000, { min: 1, max: 64 * 1024 ** 2 }, 'Bytes one value may take, encoded.'),
  max_value_depth: integer(200, { min: 1, max: 1000 }, 'How deep the tables in one value may be nested.'),
  migration_enabled: boolean(
    false,
    'Whether the schemas count: scripts have the migration functions, and a state newer than the schemas is not written to.',
  ),
  schema_dir: path('./schemas', 'Directory of the schemas that migrations go by.'),
  backup_on_migration: boolean(true, 'Whether a backup is made before a migration.'),
  backup_enabled: boolean(true, 'Whether scripts have the backup functions (they also need the backup section).'),
  history: HISTORY,
  backup: BACKUP,
});

/**
 * The configuration file, key by key: the one source of its TypeScript type, its defaults, its checks and its documentation.
 * Names, units and defaults are those of the file.
 */
export const SCHEMA = {
  default_engine: choice('lua', ['lua'], 'The engine that runs scripts.'),
  engines: section('Script engines.', {
    lua: section('Lua 5.4.', {
      stdlib_level: choice(
        'full',
        ['full', 'safe'],
        '"safe" leaves out io, os.execute/exit/remove/rename/tmpname/getenv, package.loadlib, debug and binary chunks.',
      ),
      sandbox_mode: boolean(false, 'true: "safe" whatever stdlib_level says, no files, no processes.'),
      memory_limit: integer(
        256 * 1024 ** 2,
        { min: 0, max: 2 * GIB },
        "Bytes a script's Lua heap may hold; 0: no limit.",
      ),
      max_instructions: integer(0, { min: 0, max: MAX }, 'VM instructions a script may run; 0: no limit.'),
    }),
  }),
  runtime: section('How scripts run.', {
    script_timeout_seconds: number(300, { min: 0, max: 2_000_000 }, 'Seconds a script may run; 0: no limit.'),
    max_concurrent_scripts: integer(10, { min: 1, max: 1000 }, 'Scripts that one host runs at once; more wait.'),
    security: section('What scripts may reach.', {
      allow_file_access: boolean(true, 'io.*, require, dofile and loadfile on real files.'),
      allowed_paths: paths('Where not empty, files are reachable only below these, symbolic links resolved.'),
      allow_process_spawn: boolean(false, 'os.execute and io.popen.'),
      allowed_env: names(
        'Where not empty, scripts and their processes see only these environment variables; in sandbox_mode, none but these.',
      ),
    }),
    state_persistence: STATE_PERSISTENCE,
  }),
} as const;

/** A whole configuration: every default filled in, paths absolute. `runtime.state_persistence.backup` is undefined without its section. */
export type Config = ConfigOf<typeof SCHEMA>;
export type BackupConfig = NonNullable<Config['runtime']['state_persistence']['backup']>;

const FOREIGN = {
  '': 'providers tools hooks events debug rag kernel profile sessions global security resources state',
  'engines.': 'javascript python custom',
  'engines.lua.': 'stdlib allow_ffi allow_io allow_os allow_debug custom_modules',
  'runtime.': 'sessions memory hooks events enable_streaming use_global_io_runtime log_level',
  'runtime.security.': 'allow_network_access max_memory_bytes max_execution_time_ms',
};

/**
 * Keys and sections of the original system that files may hold and that mean nothing here, as dotted paths: accepted,
 * with everything below them, and named only when asked.
 */
export const FOREIGN_KEYS: ReadonlySet<string> = new Set(
  Object.entries(FOREIGN).flatMap(([section, keys]) => keys.split(' ').map((key) => section + key)),
);
