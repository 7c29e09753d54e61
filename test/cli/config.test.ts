import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, test } from 'vitest';
import { inspectConfig } from '../../src/config/load.js';
import { type Workspace, workspace } from './cli.js';

let cli: Workspace;
beforeEach(async () => {
  cli = await workspace();
});
const write = (toml: string, name = 'llmspell.toml') => writeFile(join(cli.cwd, name), toml);

test('show prints every setting with where it comes from', async () => {
  await write('[runtime.state_persistence]\nbackend_type = "memory"\nschema_dir = "${DIR}"\n[providers]\nx = 1');
  const { stdout, stderr, code } = await cli.run(['config', 'show'], { env: { DIR: '/s' } });
  expect(stdout).toMatch(/^runtime\.state_persistence\.backend_type += +"memory" +# llmspell\.toml:2$/m);
  expect(stdout).toMatch(/schema_dir += +"\/s" +# llmspell\.toml:3 \(with DIR of the environment\)$/m);
  expect(stdout).toMatch(/^engines\.lua\.memory_limit += +268435456 +# default$/m);
  expect([code, stderr]).toEqual([0, '']);
});

test('show --json is one document with settings and origins; notices stay on stderr', async () => {
  await write('[runtime.state_persistence]\nbackend_type = "sled"\n[runtime.state_persistence.backup]');
  const { stdout, stderr } = await cli.run(['config', 'show', '--json']);
  const { file, settings, origins } = JSON.parse(stdout);
  expect(file).toBe(join(cli.cwd, 'llmspell.toml'));
  expect(settings.runtime.state_persistence.backup.max_backups).toBe(10);
  expect(origins['runtime.state_persistence.backend_type']).toEqual({
    from: 'file',
    file: 'llmspell.toml',
    line: 2,
    variables: [],
  });
  expect(stderr).toBe('note: llmspell.toml:2:16: runtime.state_persistence.backend_type: "sled" means "level" here\n');
});

test('foreign sections are named once with --verbose; --quiet says nothing of anything', async () => {
  await write('[providers]\n[hooks]\n[runtme]');
  expect((await cli.run(['config', 'show', '--verbose'])).stderr).toContain('without effect here: providers, hooks');
  expect((await cli.run(['config', 'show'])).stderr).toMatch(/^note: .*did you mean "runtime"\?\n$/);
  expect((await cli.run(['config', 'show', '--quiet'])).stderr).toBe('');
});

test('check lists all problems at once and exits 2', async () => {
  await write('[runtime]\nmax_concurrent_scripts = 0\nscript_timeout_seconds = "x"\ntypo = 1');
  const { code, stdout } = await cli.run(['config', 'check']);
  expect(code).toBe(2);
  expect(stdout.split('\n')).toEqual([
    'problem: llmspell.toml:2:26: runtime.max_concurrent_scripts: 0 is not between 1 and 1000',
    'problem: llmspell.toml:3:26: runtime.script_timeout_seconds: expected a number, got the string "x"',
    'note: llmspell.toml:4:1: runtime.typo: there is no such key',
    'llmspell.toml has 2 problems.',
    '',
  ]);
  const strict = JSON.parse((await cli.run(['config', 'check', '--strict', '--json'])).stdout);
  expect(strict).toMatchObject({ is_valid: false, error: { code: 'CONFIG_INVALID' }, notices: [] });
  expect(strict.problems).toHaveLength(3);
});

test('a wrong configuration stops every command with its place', async () => {
  await write('[runtime\n');
  const { code, stderr, stdout } = await cli.run(['config', 'show']);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^llmspell: llmspell\.toml:1:\d+: /);
});

test('the file that init writes means the defaults with backups on; every key in it can be switched on as it stands', async () => {
  expect(await cli.run(['config', 'init'])).toMatchObject({ code: 0, stdout: 'Wrote llmspell.toml.\n' });
  const inspect = () => inspectConfig({ cwd: cli.cwd, env: {}, strict: true });
  const written = await inspect();
  expect(written.problems).toEqual([]);
  const text = await readFile(join(cli.cwd, 'llmspell.toml'), 'utf8');
  await write(text.replace(/^# ([a-z_]+ = )/gm, '$1'));
  const uncommented = await inspect();
  expect(uncommented.problems).toEqual([]);
  expect(uncommented.config).toEqual(written.config);
  const origins = [...(await uncommented.origins()).values()];
  expect(origins.every(({ from }) => from === 'file')).toBe(true);
  await write('[runtime.state_persistence.backup]');
  expect((await inspect()).config).toEqual(written.config);
});

test('init does not replace a file unless told to, and names what it cannot write', async () => {
  await write('# mine');
  const refused = await cli.run(['config', 'init']);
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toContain('llmspell.toml is there already');
  expect(await readFile(join(cli.cwd, 'llmspell.toml'), 'utf8')).toBe('# mine');
  expect((await cli.run(['config', 'init', '--force'])).code).toBe(0);
  const nowhere = await cli.run(['config', 'init', 'llmspell.toml/x.toml']);
  expect(nowhere).toMatchObject({ code: 2 });
  expect(nowhere.stderr).toContain('llmspell.toml/x.toml cannot be written (ENOTDIR)');
});

test("the user's own file is found where the platform keeps such files", async () => {
  const { mkdir } = await import('node:fs/promises');
  await mkdir(join(cli.cwd, '.config/llmspell'), { recursive: true });
  await write('default_engine = "lua"', '.config/llmspell/config.toml');
  const { stdout } = await cli.run(['config', 'show']);
  expect(stdout).toContain('.config/llmspell/config.toml:1');
});

test.each(['seed', 'minimal', 'backup-enabled'])('config/%s.toml is sound, also when strict', async (name) => {
  const path = fileURLToPath(new URL(`../../config/${name}.toml`, import.meta.url));
  const { problems, notices } = await inspectConfig({ path, cwd: cli.cwd, env: {}, strict: true });
  expect([problems, notices]).toEqual([[], []]);
});
