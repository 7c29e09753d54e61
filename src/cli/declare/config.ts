import type { Command } from 'commander';
import { act, define, type Invocation } from '../define.js';

export function declareConfig(program: Command, invocation: Invocation): void {
  const config = define(program, { usage: 'config', summary: 'show, check and write the configuration', examples: [] });
  const show = define(config, {
    usage: 'show',
    summary: 'print the effective settings and where each comes from',
    examples: ['llmspell config show', 'llmspell --config other.toml config show --json'],
  });
  act(show, invocation, async () => (await import('../commands/config.js')).show);
  const check = define(config, {
    usage: 'check [file]',
    summary: 'list every problem of a configuration file',
    examples: ['llmspell config check', 'llmspell config check config/backup-enabled.toml --strict'],
  });
  act(check, invocation, async () => (await import('../commands/config.js')).check);
  const init = define(config, {
    usage: 'init [file]',
    summary: 'write a commented configuration file (default: llmspell.toml)',
    examples: ['llmspell config init', 'llmspell config init config/production.toml'],
  }).option('--force', 'replace a file that is there');
  act(init, invocation, async () => (await import('../commands/config.js')).init);
}
