/**
 * Every failure this product reports is an {@link LlmspellError}: a stable `code` for programs, one sentence for people
 * (what failed, on what), and a `hint` (what to do next). Callers match codes, never messages.
 */

/** Exit codes of the command; the contract is in the command's documentation. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  unavailable: 3,
  damaged: 4,
  timeout: 124,
  interrupted: 130,
} as const;

/** One row per code: the exit code a command ends with, and the hint that goes with it unless the thrower has a better one. */
const CODES = {
  USAGE: { exit: EXIT.usage, hint: 'Run the command with --help to see how it is used.' },
  CONFIG_NOT_FOUND: {
    exit: EXIT.usage,
    hint: 'Check the path, or run `llmspell config init` to write a configuration file.',
  },
  CONFIG_INVALID: {
    exit: EXIT.usage,
    hint: 'Correct the named line; `llmspell config check` lists every problem at once.',
  },
  SCRIPT_NOT_FOUND: { exit: EXIT.failed, hint: 'Check the path of the script.' },
  SCRIPT_SYNTAX: { exit: EXIT.failed, hint: 'Correct the script at the named line.' },
  SCRIPT_ERROR: { exit: EXIT.failed, hint: 'The script raised this error and did not catch it.' },
  SCRIPT_TIMEOUT: {
    exit: EXIT.timeout,
    hint: 'Give it more time with --timeout SECONDS or `runtime.script_timeout_seconds`.',
  },
  SCRIPT_INSTRUCTIONS: { exit: EXIT.failed, hint: 'Raise --max-instructions or `engines.lua.max_instructions`.' },
  SCRIPT_MEMORY: { exit: EXIT.failed, hint: 'Raise --memory-limit or `engines.lua.memory_limit`.' },
  SCRIPT_OUTPUT: { exit: EXIT.failed, hint: 'Print less, or raise the output limit.' },
  SCRIPT_CRASHED: {
    exit: EXIT.failed,
    hint: 'The Lua machine was thrown away; changes up to the last commit are kept.',
  },
  STATE_DISABLED: { exit: EXIT.usage, hint: 'Set `runtime.state_persistence.enabled = true`.' },
  STATE_MEMORY: {
    exit: EXIT.usage,
    hint: 'Set `runtime.state_persistence.backend_type = "level"` to keep state between runs.',
  },
  STATE_LOCKED: { exit: EXIT.unavailable, hint: 'Wait for the other process to end, or stop it.' },
  STATE_UNAVAILABLE: { exit: EXIT.unavailable, hint: 'Check that the directory exists and is writable.' },
  STATE_READONLY: { exit: EXIT.failed, hint: 'This state was opened read-only.' },
  STATE_DAMAGED: {
    exit: EXIT.damaged,
    hint: 'Restore a backup (`llmspell backup list`), or see what can be rescued: `llmspell state check`.',
  },
  STATE_CLOSED: { exit: EXIT.failed, hint: 'The host was closed while this was under way.' },
  STATE_FULL: {
    exit: EXIT.unavailable,
    hint: 'Free some disk space and try again; nothing that was reported as stored is lost.',
  },
  KEY_INVALID: { exit: EXIT.failed, hint: 'Scopes and keys are non-empty strings.' },
  VALUE_INVALID: { exit: EXIT.failed, hint: 'Store nil, booleans, numbers, strings and tables of these.' },
  VALUE_TOO_LARGE: {
    exit: EXIT.failed,
    hint: 'Raise `runtime.state_persistence.max_state_size_bytes`, or store less under one key.',
  },
  NOT_FOUND: { exit: EXIT.failed, hint: 'List what there is and try again.' },
  HISTORY_UNREACHABLE: { exit: EXIT.failed, hint: 'Choose a later time, or restore a backup made before it.' },
  BACKUP_DISABLED: { exit: EXIT.usage, hint: 'Add a [runtime.state_persistence.backup] section to the configuration.' },
  BACKUP_ID_INVALID: { exit: EXIT.usage, hint: 'Ids are what `llmspell backup list` prints.' },
  BACKUP_NOT_FOUND: { exit: EXIT.failed, hint: '`llmspell backup list` shows the ids there are.' },
  BACKUP_AMBIGUOUS: { exit: EXIT.usage, hint: 'Give more letters of the id.' },
  BACKUP_DAMAGED: {
    exit: EXIT.damaged,
    hint: 'Use another backup; `llmspell backup validate --all` tells which are sound.',
  },
  BACKUP_CHAIN_BROKEN: {
    exit: EXIT.damaged,
    hint: 'Use a backup whose whole chain is there; `llmspell backup list` shows the chains.',
  },
  BACKUP_NEEDED: { exit: EXIT.failed, hint: 'Delete the backups that rest on it first.' },
  BACKUP_PINNED: { exit: EXIT.failed, hint: 'Unpin it first.' },
  BACKUP_FAILED: { exit: EXIT.failed, hint: 'Nothing was left behind; try again once the cause is mended.' },
  BACKUP_KEY: { exit: EXIT.failed, hint: 'Check the encryption key that the configuration names.' },
  BACKUP_VERSION: { exit: EXIT.failed, hint: 'Read it with the version of llmspell that wrote it, or a newer one.' },
  RESTORE_FAILED: { exit: EXIT.failed, hint: 'The state is as it was before the restore.' },
  MIGRATION_DISABLED: {
    exit: EXIT.usage,
    hint: 'Set `runtime.state_persistence.migration_enabled = true`, and `schema_dir`.',
  },
  MIGRATION_IMPOSSIBLE: {
    exit: EXIT.failed,
    hint: '`llmspell migrate versions` shows which versions there are and how they follow each other.',
  },
  SCHEMA_INVALID: { exit: EXIT.usage, hint: 'Correct the named line; `llmspell migrate validate` checks the schemas.' },
  SCHEMA_NEWER: {
    exit: EXIT.failed,
    hint: 'Get the schemas of that version, or restore a backup of an older one; reading goes on meanwhile.',
  },
  MIGRATION_FAILED: { exit: EXIT.failed, hint: 'The state is as it was before the migration.' },
  OUTPUT_FAILED: { exit: EXIT.failed, hint: 'Check the place that the output is sent to.' },
  DECLINED: { exit: EXIT.failed, hint: 'Answer y, or confirm it with --yes.' },
  ABORTED: { exit: EXIT.interrupted, hint: 'Nothing is half-written.' },
  INTERNAL: {
    exit: EXIT.failed,
    hint: 'This is a fault of llmspell itself; run again with --verbose and report what it prints.',
  },
} as const satisfies Record<string, { exit: number; hint: string }>;

export type ErrorCode = keyof typeof CODES;

export const ERROR_CODES = Object.keys(CODES) as ErrorCode[];

export interface ErrorDetails {
  /** What to do next, where it is better than the code's own hint. */
  hint?: string;
  /** The file, directory, id or key it is about, for programs. */
  subject?: string;
  cause?: unknown;
}

export class LlmspellError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly subject: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.name = 'LlmspellError';
    this.code = code;
    this.hint = details.hint ?? CODES[code].hint;
    this.subject = details.subject;
  }

  get exitCode(): number {
    return CODES[this.code].exit;
  }
}

/** The error itself where it is ours, else an `INTERNAL` one around it: nothing unknown travels further. */
export function toLlmspellError(error: unknown): LlmspellError {
  if (error instanceof LlmspellError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new LlmspellError('INTERNAL', message, { cause: error });
}

/** What failed and what to do, as one sentence: for places that have a single line. */
export function sentenceOf({ message, hint }: PlainError): string {
  const what = message.replace(/\.$/, '');
  const next = hint.replace(/\.$/, '').replace(/^[A-Z](?=[a-z ])/, (letter) => letter.toLowerCase());
  return `${what}; ${next}`;
}

/** An error that crossed a thread or a socket as plain data. */
export interface PlainError {
  code: ErrorCode;
  message: string;
  hint: string;
}

export const toPlainError = (error: unknown): PlainError => {
  const { code, message, hint } = toLlmspellError(error);
  return { code, message, hint };
};

/** Node's errno of a failed system call (`ENOSPC`, `EACCES`, …), or undefined. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
