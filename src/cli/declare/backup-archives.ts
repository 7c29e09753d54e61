import type { Command } from 'commander';
import { act, define, type Invocation } from '../define.js';

/** Commands that write archives anew, and change nothing of the state. */
export function declareRewriting(backup: Command, invocation: Invocation): void {
  const compact = define(backup, {
    usage: 'compact <id>',
    summary: 'make a full backup of one that rests on others, from the archives alone; its id and its moment stay',
    examples: ['llmspell backup compact 3f9a', 'llmspell backup compact latest --json'],
  });
  act(compact, invocation, async () => (await import('../commands/backup-rewrite.js')).compact);

  const rekey = define(backup, {
    usage: 'rekey [id]',
    summary: 'encrypt a backup and all that it shares a chain with by another key, or by none',
    examples: [
      'llmspell backup rekey --all --old-key env:OLD_PASSPHRASE',
      'llmspell backup rekey 3f9a --new-key raw-file:backup.key',
    ],
  })
    .option('--all', 'all backups')
    .option('--old-key <source>', 'env:NAME, file:PATH, raw-env:NAME or raw-file:PATH (default: the configuration)')
    .option('--new-key <source>', 'the same, or none (default: the configuration)');
  act(rekey, invocation, async () => (await import('../commands/backup-rewrite.js')).rekey);

  const rescue = define(backup, {
    usage: 'rescue <id>',
    summary: 'tell entry by entry what is still readable of a damaged backup, and save it elsewhere',
    examples: ['llmspell backup rescue 3f9a', 'llmspell backup rescue 3f9a --into rescued.jsonl'],
  }).option(
    '--into <path>',
    'where to save it: FILE.jsonl, as `state import` takes it, or a directory for a new state',
  );
  act(rescue, invocation, async () => (await import('../commands/backup-rescue.js')).rescue);
}

/** Commands that carry backups to other places. */
export function declareMoving(backup: Command, invocation: Invocation): void {
  const exporting = define(backup, {
    usage: 'export <id> <file>',
    summary: 'write a backup as one file that needs no other; a .zip holds it as JSON, for people and other tools',
    examples: ['llmspell backup export latest state.lsb', 'llmspell backup export 3f9a state.zip'],
  }).option('-f, --force', 'replace a file that is there');
  act(exporting, invocation, async () => (await import('../commands/backup-transfer.js')).exportBackup);

  const importing = define(backup, {
    usage: 'import <file>',
    summary: 'take up a file that export wrote, also on another machine or of another state',
    examples: ['llmspell backup import state.lsb', 'llmspell backup import state.zip --pin'],
  })
    .option('--key <source>', 'what it is encrypted with: env:NAME, file:PATH, raw-env:NAME or raw-file:PATH')
    .option('--pin', 'retention never removes it, however old it is');
  act(importing, invocation, async () => (await import('../commands/backup-transfer.js')).importBackup);
}
