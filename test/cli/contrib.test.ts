import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { pathOf, program } from './commands.js';

const contrib = (path: string) => fileURLToPath(new URL(`../../contrib/${path}`, import.meta.url));
const FILES = ['systemd/llmspell-backup@.service', 'cron/llmspell-backup', 'README.md'];
const commandLines = (path: string): string[] =>
  readFileSync(contrib(path), 'utf8')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .flatMap((line) => line.match(/\bllmspell backup [^`&>]*/g) ?? []);

test.each(FILES)('the command lines of contrib/%s are understood', async (path) => {
  const lines = commandLines(path);
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) {
    const words = line.trim().split(/\s+/).slice(1);
    const understood: string[] = [];
    const command = program.commands
      .find((inner) => inner.name() === words[0])!
      .commands.find((inner) => inner.name() === words[1])!;
    command.action(() => {
      understood.push(pathOf(command));
    });
    await program.parseAsync(words, { from: 'user' });
    expect(understood).toEqual([`llmspell ${words[0]} ${words[1]}`]);
  }
});

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

test.skipIf(!hasSystemd)('systemd takes the service and the timer, and finds the service well closed', () => {
  for (const unit of ['llmspell-backup@.service', 'llmspell-backup@.timer']) {
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', contrib(`systemd/${unit}`)], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  }
  const { status } = spawnSync('systemd-analyze', [
    'security',
    '--offline=true',
    '--threshold=20',
    contrib('systemd/llmspell-backup@.service'),
  ]);
  expect(status).toBe(0);
});
