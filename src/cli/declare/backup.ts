import type { Command } from 'commander';
import { count, moment, repeated, spanOfTime } from '../arguments.js';
import { act, define, type Invocation } from '../define.js';
import { declareMoving, declareRewriting } from './backup-archives.js';

export function declareBackup(program: Command, invocation: Invocation): void {
  const backup = define(program, { usage: 'backup', summary: 'make, look at and restore backups', examples: [] });
  declareMaking(backup, invocation);
  declareLooking(backup, invocation);
  declareKeeping(backup, invocation);
  declareRestoring(backup, invocation);
  declareProof(backup, invocation);
  declareRewriting(backup, invocation);
  declareMoving(backup, invocation);
}

function declareMaking(backup: Command, invocation: Invocation): void {
  const create = define(backup, {
    usage: 'create',
    summary: 'back the state up',
    examples: [
      'llmspell backup create -d "before the upgrade" --pin',
      'llmspell backup create --incremental --tag nightly',
    ],
  })
    .option('-i, --incremental', 'only what changed since the last backup')
    .option('-d, --description <text>', 'what it is for')
    .option('--tag <tag>', 'a name to find it by (may be repeated)', repeated)
    .option('--pin', 'retention never removes it');
  act(create, invocation, async () => (await import('../commands/backup.js')).create);

  const watch = define(backup, {
    usage: 'watch',
    summary: 'back the state up again and again, until stopped; between two backups others may use the state',
    examples: ['llmspell backup watch --every 15m --tag auto'],
  })
    .option('--every <span>', 'from one to the next: 30s, 15m, 6h, 1d (default: 15m)', spanOfTime)
    .option('--tag <tag>', 'a name to find them by (may be repeated)', repeated);
  act(watch, invocation, async () => (await import('../commands/backup-watch.js')).watch);
}

function declareLooking(backup: Command, invocation: Invocation): void {
  const list = define(backup, {
    usage: 'list',
    summary: 'print the backups and which rests on which',
    examples: ['llmspell backup list', 'llmspell backup list -l 5 --tag nightly'],
  })
    .option('-l, --limit <n>', 'the newest so many', count)
    .option('--tag <tag>', 'only those with this tag');
  act(list, invocation, async () => (await import('../commands/backup-look.js')).list);

  const info = define(backup, {
    usage: 'info <id>',
    summary: 'print all that is known of a backup (an id, the beginning of one, or latest)',
    examples: ['llmspell backup info latest', 'llmspell backup info 3f9a --no-scopes'],
  }).option('--no-scopes', 'not what each scope takes: for that the whole archive is read');
  act(info, invocation, async () => (await import('../commands/backup-look.js')).info);

  const validate = define(backup, {
    usage: 'validate [id]',
    summary: 'read every byte of a backup and of what it rests on; without an id, of all',
    examples: ['llmspell backup validate latest', 'llmspell backup validate --all --json'],
  }).option('--all', 'all backups');
  act(validate, invocation, async () => (await import('../commands/backup-look.js')).validate);

  const diff = define(backup, {
    usage: 'diff <a> [b]',
    summary: 'print which entries differ between two backups, or a backup and the present state',
    examples: ['llmspell backup diff latest', 'llmspell backup diff 3f9a 81c2'],
  });
  act(diff, invocation, async () => (await import('../commands/backup-look.js')).diff);

  const timeline = define(backup, {
    usage: 'timeline',
    summary: 'show when the state changed, its backups, and from where each moment can be had',
    examples: ['llmspell backup timeline', 'llmspell backup timeline --html timeline.html'],
  }).option('--html <file>', 'write it as a page of its own, to look at in a browser');
  act(timeline, invocation, async () => (await import('../commands/backup-timeline.js')).timeline);
}

function declareProof(backup: Command, invocation: Invocation): void {
  const drill = define(backup, {
    usage: 'drill [id]',
    summary: 'restore a backup (default: latest) into a scratch state and compare every entry',
    examples: ['llmspell backup drill', 'llmspell backup drill 3f9a --json'],
  });
  act(drill, invocation, async () => (await import('../commands/backup-restore.js')).drill);
}

function declareKeeping(backup: Command, invocation: Invocation): void {
  const remove = define(backup, {
    usage: 'delete <id>',
    summary: 'delete a backup that no other rests on',
    examples: ['llmspell backup delete 3f9a'],
  });
  act(remove, invocation, async () => (await import('../commands/backup.js')).remove);

  const cleanup = define(backup, {
    usage: 'cleanup',
    summary: 'delete what retention no longer keeps, and say why',
    examples: ['llmspell backup cleanup --dry-run'],
  }).option('--dry-run', 'only say what would be deleted');
  act(cleanup, invocation, async () => (await import('../commands/backup.js')).cleanup);

  for (const [name, summary] of [
    ['pin', 'keep a backup whatever retention says'],
    ['unpin', 'leave a backup to retention again'],
  ] as const) {
    const command = define(backup, { usage: `${name} <id>`, summary, examples: [`llmspell backup ${name} latest`] });
    act(command, invocation, async () => (await import('../commands/backup.js'))[name]);
  }
}

function declareRestoring(backup: Command, invocation: Invocation): void {
  const restore = define(backup, {
    usage: 'restore [id]',
    summary: 'take the state back to a backup, or to a moment; all or nothing',
    examples: [
      'llmspell backup restore latest --dry-run',
      'llmspell backup restore 3f9a --scope agent:planner --yes',
      'llmspell backup restore --to 2026-11-23T22:45:00Z',
      'llmspell backup restore --to seq:4711 --dry-run',
      'llmspell backup restore latest --into copy',
    ],
  })
    .option('--to <moment>', 'ISO 8601, @SECONDS (Unix time), seq:NUMBER of a change, or a backup', moment)
    .option('--into <dir>', 'make a new state there instead; the present one is not touched')
    .option('--dry-run', 'only say what would be done, and what cannot be reached')
    .option('--scope <scope>', 'only this scope (may be repeated)', repeated)
    .option('--no-backup', 'do not keep the present state as a rollback point')
    .option('--skip-verify', 'do not read the whole chain first')
    .option('--migrate', 'then migrate the state to the schema version that it is of now')
    .option('--preserve-untracked', 'keep entries that the backup does not have')
    .option('-y, --yes', 'do not ask');
  act(restore, invocation, async () => (await import('../commands/backup-restore.js')).restore);
}
