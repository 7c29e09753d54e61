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
}
