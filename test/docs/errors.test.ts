import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode, LlmspellError } from '../../src/errors.js';

const PAGE = fileURLToPath(new URL('../../docs/errors.md', import.meta.url));

const MEANINGS: Record<ErrorCode, string> = {
  USAGE: 'The command line, or a call, is not one that there is.',
  CONFIG_NOT_FOUND: 'The configuration file that was named is not there.',
  CONFIG_INVALID: 'The configuration is not TOML, or a value in it has the wrong type or is out of range.',
  SCRIPT_NOT_FOUND: 'The script is not there or cannot be read.',
  SCRIPT_SYNTAX: 'The script does not parse.',
  SCRIPT_ERROR: 'The script raised an error that it did not catch.',
  SCRIPT_TIMEOUT: 'The time limit ended the script.',
  SCRIPT_INSTRUCTIONS: 'The limit on instructions ended the script.',
  SCRIPT_MEMORY: 'The limit on memory ended the script.',
  SCRIPT_OUTPUT: 'The limit on output ended the script.',
  SCRIPT_CRASHED: 'The Lua machine trapped or was aborted.',
  STATE_DISABLED: 'State is switched off.',
  STATE_MEMORY: 'The state is in memory only, and what was asked for needs one that stays.',
  STATE_LOCKED: 'Another process holds the state.',
  STATE_UNAVAILABLE: 'The state cannot be opened: a directory that is not there, no permission, no such disk.',
  STATE_READONLY: 'Something was to be changed in a state that was opened for reading.',
  STATE_DAMAGED: 'What is stored is not what was written: a checksum does not fit, a file is missing.',
  STATE_CLOSED: 'The host was closed.',
  STATE_FULL: 'The disk is full.',
  KEY_INVALID: 'A scope or a key is empty, or is no string.',
  VALUE_INVALID: 'A value holds what cannot be stored: a function, a cycle.',
  VALUE_TOO_LARGE: 'A value is larger than `max_state_size_bytes`.',
  NOT_FOUND: 'The entry or the rollback point is not there.',
  HISTORY_UNREACHABLE: 'The moment that was asked for is in no history and in no backup.',
  BACKUP_DISABLED: 'The configuration has no backups.',
  BACKUP_ID_INVALID: 'What was given is no id.',
  BACKUP_NOT_FOUND: 'No backup has this id.',
  BACKUP_AMBIGUOUS: 'More than one id begins like this.',
  BACKUP_DAMAGED: 'The archive is not what was written.',
  BACKUP_CHAIN_BROKEN: 'What the backup rests on is missing, damaged, or another one.',
  BACKUP_NEEDED: 'Another backup rests on it.',
  BACKUP_PINNED: 'It is pinned.',
  BACKUP_FAILED: 'The backup could not be written, or the repository is held by another process.',
  BACKUP_KEY: 'The key is missing, or is not the one that the archive was sealed with.',
  BACKUP_VERSION: 'The archive was written by a newer version.',
  RESTORE_FAILED: 'The restore did not come to its end.',
  MIGRATION_DISABLED: 'The configuration does not have migrations switched on.',
  MIGRATION_IMPOSSIBLE: 'No way leads to that version of the schema.',
  SCHEMA_INVALID: 'A schema file, or a Lua step, is not one.',
  SCHEMA_NEWER: 'The state is of a newer version than the schemas that there are.',
  MIGRATION_FAILED: 'The migration did not come to its end.',
  OUTPUT_FAILED: 'What was printed could not be written.',
  DECLINED: 'The question whether to go on was not answered with yes.',
  ABORTED: 'Ctrl-C, a signal, or an `AbortSignal` ended it.',
  INTERNAL: 'A fault of llmspell itself.',
};

const INTRODUCTION = `# Errors

<!-- Written from src/errors.ts by test/docs/errors.test.ts; \`npx vitest run test/docs --update\` writes it anew. -->

Every failure has a code that stays, one sentence that says what failed and on what, and a hint that says what to do; where there is a better
hint than the one here, the error has that. Programs match the code: \`error.code\` of an \`LlmspellError\`, \`error.code\` in the document
that \`--json\` prints. In Lua, operations that can fail in operation return \`success = false\` and \`error\`, a sentence; wrong calls raise.

| code | what it means | exit | what to do |
| --- | --- | --- | --- |
`;

test('docs/errors.md tells of every code', async () => {
  const rows = ERROR_CODES.map((code) => {
    const { exitCode, hint } = new LlmspellError(code, '');
    return `| \`${code}\` | ${MEANINGS[code]} | ${exitCode} | ${hint.replaceAll('|', '\\|')} |`;
  });
  await expect(`${INTRODUCTION}${rows.join('\n')}\n`).toMatchFileSnapshot(PAGE);
});
