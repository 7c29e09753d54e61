import { spawn, spawnSync } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { widthOf } from '../../src/cli/format.js';
import { type Workspace, workspace } from './cli.js';

let cli: Workspace;
beforeEach(async () => {
  cli = await workspace();
  await writeFile(join(cli.cwd, 'llmspell.toml'), '[runtime.state_persistence.backup]');
});

/** `script` of util-linux gives the command a terminal of its own. */
const hasTerminal = spawnSync('script', ['--version']).status === 0;

/** Runs on a terminal; `answer` is typed when a question is seen. */
function onTerminal(
  args: string,
  { answer, env = {}, columns = 0 }: { answer?: string; env?: Record<string, string>; columns?: number } = {},
) {
  const command = `stty cols ${columns}; "${process.execPath}" "${cli.bin}" ${args}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    cwd: cli.cwd,
    env: { PATH: process.env.PATH, HOME: cli.cwd, TERM: 'xterm', SHELL: '/bin/sh', ...env },
  });
  let [screen, typed] = ['', answer];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    screen += text;
    if (typed === undefined || !screen.includes('[y/N]')) return;
    child.stdin.write(typed);
    typed = undefined;
  });
  return new Promise<{ code: number | null; screen: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, screen })),
  );
}

describe.skipIf(!hasTerminal)('on a terminal', () => {
  test('what cannot be taken back easily is asked for; anything but yes does nothing', async () => {
    await cli.run(['state', 'set', 'global', 'a', '1']);
    const declined = await onTerminal('state clear', { answer: 'n\n' });
    expect(declined.screen).toContain('Delete all entries of all scopes? [y/N]');
    expect(declined.screen).toContain('Nothing was done.');
    expect(declined.code).toBe(1);
    const accepted = await onTerminal('state clear', { answer: 'y\n' });
    expect(accepted.screen).toContain('Deleted 1 entry.');
    expect(accepted.code).toBe(0);
  });

  test('there is colour, and none with NO_COLOR, CI or --no-color', async () => {
    const colour = '\u001b[3';
    expect((await onTerminal('state get a b')).screen).toContain(colour);
    for (const env of [{ NO_COLOR: '1' }, { CI: 'true' }]) {
      expect((await onTerminal('state get a b', { env })).screen).not.toContain('\u001b');
    }
    expect((await onTerminal('state get a b --no-color')).screen).not.toContain('\u001b');
  });

  test.each([60, 80, 120])('tables fit a terminal of %d columns, whatever the names are', async (columns) => {
    for (const scope of ['x'.repeat(300), '研究'.repeat(50), 'a\tb\u001b[31m', '🚀'])
      await cli.ok('state', 'set', scope, 'k', '1');
    await cli.ok('backup', 'create', '-d', 'long '.repeat(50));
    for (const args of ['state stats', 'backup list', 'backup info latest']) {
      const { screen } = await onTerminal(args, { env: { NO_COLOR: '1' }, columns });
      const shown = screen.slice(screen.lastIndexOf('\u001b[K') + 1).split(/\r?\n/);
      const tables = shown.filter((line) => !/^(description|sha256) /.test(line));
      expect(Math.max(...tables.map(widthOf)), `${args}: ${screen}`).toBeLessThanOrEqual(columns);
    }
  });

  test('long work shows how far it is and wipes that away; not with --no-progress', async () => {
    await cli.run(['exec', 'for i = 1, 20000 do State.set("s", "k" .. i, ("x"):rep(100) .. i) end']);
    const erase = '\r\u001b[K';
    const shown = await onTerminal('backup create');
    expect(shown.screen).toMatch(/\r\u001b\[K\w+ /);
    expect(shown.screen.slice(shown.screen.lastIndexOf(erase))).toContain('full, 20,000 entries');
    expect((await onTerminal('backup create --no-progress')).screen).not.toContain(erase);
  });
});

test('Ctrl-C during a backup exits 130 and leaves nothing behind, or comes too late', async () => {
  await cli.run(['exec', 'for i = 1, 40000 do State.set("s", "k" .. i, ("x"):rep(200) .. math.random()) end']);
  const child = cli.start(['backup', 'create']);
  const ended = new Promise((resolve) => child.on('close', resolve));
  const backups = join(cli.cwd, 'backups');
  const archives = async () => (await readdir(backups).catch(() => [])).filter((name) => name.includes('.lsb'));
  while (child.exitCode === null && (await archives()).length === 0)
    await new Promise((resolve) => setTimeout(resolve, 1));
  child.kill('SIGINT');
  if ((await ended) === 0) return expect((await cli.run(['backup', 'validate'])).code).toBe(0);
  expect(child.exitCode).toBe(130);
  expect(await archives()).toEqual([]);
});
