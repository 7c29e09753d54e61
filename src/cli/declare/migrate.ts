import type { Command } from 'commander';
import { act, define, type Invocation } from '../define.js';

export function declareMigrate(program: Command, invocation: Invocation): void {
  const migrate = define(program, {
    usage: 'migrate',
    summary: 'move the state from one version of its schema to another',
    examples: [],
  });
  const commands = () => import('../commands/migrate.js');

  const status = define(migrate, {
    usage: 'status',
    summary: 'print which version the state is of, and where it can go',
    examples: ['llmspell migrate status', 'llmspell migrate status --json'],
  });
  act(status, invocation, async () => (await commands()).status);

  const versions = define(migrate, {
    usage: 'versions',
    summary: 'print the schemas, what each is for, and what it asks of scripts',
    examples: ['llmspell migrate versions'],
  });
  act(versions, invocation, async () => (await commands()).versions);

  const run = define(migrate, {
    usage: 'run [version]',
    summary: 'migrate the state to a version (default: the latest), up or down; all or nothing',
    examples: [
      'llmspell migrate run --dry-run',
      'llmspell migrate run --yes',
      'llmspell migrate run 1.0.0 --dry-run --json',
    ],
  })
    .option('--dry-run', 'only say what would change')
    .option('-y, --yes', 'do not ask');
  act(run, invocation, async () => (await commands()).run);

  const validate = define(migrate, {
    usage: 'validate',
    summary: 'check the schemas, and every entry against the schema of its version',
    examples: ['llmspell migrate validate'],
  });
  act(validate, invocation, async () => (await commands()).validate);
}
