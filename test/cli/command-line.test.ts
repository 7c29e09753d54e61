import { spawnSync } from 'node:child_process';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Workspace, workspace } from './cli.js';

let cli: Workspace;
beforeEach(async () => {
  cli = await workspace();
});

describe('wrong use exits 2, with one sentence and what to do', () => {
  test.each([
    [['confgi', 'show'], "Unknown command 'confgi'; did you mean 'config'?", '`llmspell --help`'],
    [['config', 'shwo'], "Unknown command 'shwo'; did you mean 'show'?", '`llmspell config --help`'],
    [['config', 'show', '--jsno'], "Unknown option '--jsno'; did you mean '--json'?", '`llmspell config show --help`'],
    [['config', 'show', '--zzzzzz'], "Unknown option '--zzzzzz'", '`llmspell config show --help`'],
    [['config', 'show', '--config'], "Option '-c, --config <file>' argument missing", '`llmspell config show --help`'],
    [['config', 'check', 'a', 'b'], 'Too many arguments', '`llmspell config check --help`'],
    [['config'], '`llmspell config` needs a command.', 'check [options] [file]'],
  ])('%j', async (args, sentence, hint) => {
    const { code, stdout, stderr } = await cli.run(args);
    expect(stderr).toContain(`llmspell: ${sentence}`);
    expect(stderr).toContain(hint);
    expect([code, stdout]).toEqual([2, '']);
  });

  test.each([['--json'], ['--output=json'], ['-o', 'json']])(
    'as one JSON document on stdout with %j',
    async (...form) => {
      const { code, stdout, stderr } = await cli.run(['config', 'shwo', ...form]);
      expect(JSON.parse(stdout).error).toEqual({
        code: 'USAGE',
        message: "Unknown command 'shwo'; did you mean 'show'?",
        hint: 'Run `llmspell config --help` to see how it is used.',
      });
      expect([code, stderr]).toEqual([2, '']);
    },
  );
});

test('global options are taken before and after the command name, the later one counts', async () => {
  const before = await cli.run(['--json', 'config', 'show']);
  const between = await cli.run(['config', '--json', 'show']);
  const after = await cli.run(['config', 'show', '--json']);
  expect(JSON.parse(before.stdout)).toEqual(JSON.parse(after.stdout));
  expect(JSON.parse(between.stdout)).toEqual(JSON.parse(after.stdout));
  const text = await cli.run(['--json', 'config', 'show', '--output', 'text']);
  expect(text.stdout).toMatch(/^default_engine/);
});

test('help goes to stdout and shows an example; the version is the package’s', async () => {
  const help = await cli.run(['config', 'check', '--help']);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toContain('$ llmspell config check config/backup-enabled.toml --strict');
  expect(help.stdout).toContain('--no-color');
  expect((await cli.run(['help', 'config'])).stdout).toMatch(/^Usage: llmspell config /);
  expect(await cli.run(['config', 'check', '-V'])).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' });
});

test('a stack is shown with --verbose and otherwise not', async () => {
  const plain = await cli.run(['config', 'show', '-c', 'gone.toml']);
  expect(plain.stderr).toBe(
    'llmspell: The configuration file gone.toml does not exist.\n' +
      'Check the path, or run `llmspell config init` to write a configuration file.\n',
  );
  const verbose = await cli.run(['config', 'show', '-c', 'gone.toml', '--verbose']);
  expect(verbose.stderr).toMatch(/\n {4}at /);
  expect(verbose.stderr).toContain('caused by Error: ENOENT');
});

test('a full disk behind stdout is an error, a reader that has gone is none', async () => {
  const command = `"${process.execPath}" "${cli.bin}" config show`;
  for (const args of ['config show', '--help', 'help state', 'state list --help', '--version']) {
    const line = `"${process.execPath}" "${cli.bin}" ${args} > /dev/full`;
    const full = spawnSync('sh', ['-c', line], { cwd: cli.cwd, encoding: 'utf8' });
    expect(full.status, args).toBe(1);
    expect(full.stderr).toContain('The output could not be written: ENOSPC');
  }
  const gone = spawnSync('bash', ['-c', `${command} | true; exit "\${PIPESTATUS[0]}"`], {
    cwd: cli.cwd,
    encoding: 'utf8',
  });
  expect([gone.status, gone.stderr]).toEqual([0, '']);
});
