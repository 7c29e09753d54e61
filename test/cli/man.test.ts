import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Command, Option } from 'commander';
import { expect, test } from 'vitest';
import { EXIT_MEANINGS, examplesOf, leaves, pathOf, program } from './commands.js';

const PAGE = fileURLToPath(new URL('../../man/llmspell.1', import.meta.url));

/** The manual page, in man(7) macros; `npx vitest -u` writes it anew. */
function manual(): string {
  return [
    '.\\" Written from src/cli by test/cli/man.test.ts.',
    '.TH LLMSPELL 1 "" llmspell "User Commands"',
    '.SH NAME',
    'llmspell \\- run Lua scripts that keep state, and back that state up',
    '.SH SYNOPSIS',
    '.B llmspell',
    '.RI [ options ]',
    '.I command',
    '.RI [ arguments ]',
    '.SH DESCRIPTION',
    text(
      'Runs Lua 5.4 in a sandbox with limits and gives scripts a State: scoped keys that keep Lua values exactly, over a persistent, versioned store, with backups. Results go to standard output; notes, progress and errors to standard error.',
    ),
    '.SH OPTIONS',
    'Taken before and after the name of a command.',
    ...program.options.flatMap(option),
    '.SH COMMANDS',
    ...leaves(program).flatMap(command),
    '.SH EXIT STATUS',
    ...EXIT_MEANINGS.flatMap(([code, meaning]) => entry(String(code), meaning.replaceAll('`', ''))),
    '.SH ENVIRONMENT',
    ...entry('LLMSPELL_CONFIG', 'the configuration file, where --config is not given'),
    ...entry('LUA_PATH, LUA_PATH_5_4, LUA_INIT, LUA_INIT_5_4', 'as for lua(1)'),
    ...entry('NO_COLOR', 'no colour'),
    '.SH FILES',
    ...entry('llmspell.toml', 'the configuration: in the working directory or one above it'),
    ...entry('.llmspell/state', 'the state, where the configuration names no other place'),
    '.SH SEE ALSO',
    '.BR lua (1)',
    '',
  ].join('\n');
}

function command(leaf: Command): string[] {
  const own = leaf.options.filter(({ hidden, long }) => !hidden && long !== '--help');
  const examples = examplesOf(leaf);
  return [
    `.SS ${quoted(`${pathOf(leaf).replace(/^llmspell /, '')} ${leaf.usage()}`)}`,
    `${text(leaf.description())}.`,
    ...own.flatMap(option),
    ...(examples.length > 0 ? ['.PP', '.EX', ...examples.map(text), '.EE'] : []),
  ];
}

const option = ({ flags, description }: Option): string[] => entry(flags, description);
const entry = (term: string, description: string): string[] => ['.TP', `.B ${quoted(term)}`, text(description)];

/** Backslashes and hyphens as they are, and no line that begins like a request. */
const text = (line: string): string =>
  line
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');
const quoted = (argument: string): string => `"${text(argument).replaceAll('"', '""')}"`;

test('man/llmspell.1 tells of every command and option', async () => {
  await expect(manual()).toMatchFileSnapshot(PAGE);
});

const has = (name: string) => spawnSync(name, ['--version']).error === undefined;

test.skipIf(!has('groff'))('it is set without a warning, and reads well', () => {
  const { stdout, stderr } = spawnSync('groff', ['-man', '-ww', '-Tutf8', '-rLL=100n', PAGE], { encoding: 'utf8' });
  expect(stderr).toBe('');
  const plain = stdout.replaceAll(/\u001b\[[0-9;]*m/g, '');
  expect(plain).toContain('backup create');
  expect(plain).toMatch(/^ +\$? ?llmspell exec 'State\.set\("greeting", \.\.\.\)' hello/m);
});
