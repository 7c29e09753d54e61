import { spawnSync } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { chainsIn } from '../../src/cli/timeline/lanes.js';
import { type Workspace, workspace } from './cli.js';

let cli: Workspace;
beforeAll(async () => {
  cli = await workspace();
  await writeFile(join(cli.cwd, 'llmspell.toml'), '[runtime.state_persistence.backup]');
  await cli.ok('exec', 'for i = 1, 300 do State.set("agent:planner", "k" .. i, i) end State.set("<i>&\\"", "x", 1)');
  await cli.ok('backup', 'create', '-d', '</script><script>document.title = "broken into"</script>');
  await cli.ok('exec', 'for i = 1, 20 do State.delete("agent:planner", "k" .. i) end');
  await cli.ok('backup', 'create', '--incremental', '--pin');
});

test('a person gets a line for each stretch of time, with the backups made in it', async () => {
  const text = await cli.ok('backup', 'timeline');
  expect(text).toMatch(/█+ +3\d\d changes/);
  expect(text).toMatch(/● [0-9a-f]{16}/);
  expect(text).toMatch(/◆ [0-9a-f]{16}/);
});

test('the page is one file that loads nothing, and no name or description gets out of its place', async () => {
  await cli.ok('backup', 'timeline', '--html', 'timeline.html');
  const page = await readFile(join(cli.cwd, 'timeline.html'), 'utf8');
  expect(page).toContain("default-src 'none'");
  expect(page).not.toMatch(/(src|href)="(?!#)/);
  expect(page).not.toMatch(/https?:/);
  expect(page).not.toContain('<i>&');
  expect(page.match(/<\/script>/g)).toHaveLength(2);
  expect((await stat(join(cli.cwd, 'timeline.html'))).size).toBeLessThan(60_000);
});

const browser = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);

test.skipIf(browser === undefined)(
  'a browser draws it, and its script tells of the moment chosen',
  async () => {
    await cli.ok('backup', 'timeline', '--html', 'timeline.html');
    const quiet = ['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-sync'];
    const { stdout } = spawnSync(
      browser!,
      [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-component-update',
        ...quiet,
        `--user-data-dir=${join(cli.cwd, 'profile')}`,
        '--dump-dom',
        `file://${join(cli.cwd, 'timeline.html')}`,
      ],
      { encoding: 'utf8', timeout: 60_000 },
    );
    expect(stdout).toContain('<title>Timeline of the state</title>');
    expect(stdout).toContain('A restore to its end would undo nothing');
    expect(stdout).toContain('<tr id="b-');
    expect(stdout.match(/class="rests"/g)).toHaveLength(2);
  },
  70_000,
);

test('a place that cannot be written is one sentence', async () => {
  const { code, stderr } = await cli.run(['backup', 'timeline', '--html', 'none/timeline.html']);
  expect(code).toBe(1);
  expect(stderr).toMatch(/none\/timeline\.html/);
  expect(stderr).not.toMatch(/\n\s+at /);
});

test('each chain has a lane, a branch one of its own, and a lane is used again', () => {
  const backup = (id: string, createdAtMs: number, parentId: string | null = null) =>
    ({ id, parent_id: parentId, created_at_ms: createdAtMs }) as Parameters<typeof chainsIn>[0][number];
  const { placed, count } = chainsIn([
    backup('a', 1),
    backup('b', 2, 'a'),
    backup('c', 3, 'b'),
    backup('branch', 4, 'a'),
    backup('next', 5),
  ]);
  expect(placed.map(({ lane }) => lane)).toEqual([0, 0, 0, 1, 0]);
  expect(count).toBe(2);
});
