import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const expected = (name: string) => readFile(join(root, 'test/examples/expected', `${name}.txt`), 'utf8');

/** Ids, sizes and counts of bytes differ from run to run; everything else must not. */
const withoutChance = (text: string) =>
  text
    .replace(/\b[0-9a-f]{16}\b/g, '<id>')
    .replace(/\b[0-9a-f]{8}\b/g, '<id>')
    .replace(/ +\d+ bytes/g, ' <n> bytes');

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'llmspell-example-'));
  for (const name of ['config', 'lua-examples']) await cp(join(root, name), join(directory, name), { recursive: true });
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const CONFIGS: Readonly<Record<string, string>> = {
  'retention_policy.lua': 'config/retention.toml',
  'schema_migration.lua': 'config/migration-enabled.toml',
  'state_migration.lua': 'config/migration-enabled.toml',
};

/** As a person runs it, but away from the repository. */
async function run(script: string): Promise<string> {
  const config = CONFIGS[script] ?? 'config/backup-enabled.toml';
  const args = [join(root, 'bin/llmspell.js'), 'run', '--config', config];
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [...args, join(root, 'lua-examples', script)],
    {
      cwd: directory,
    },
  );
  expect(stderr).toBe('');
  return withoutChance(stdout.replaceAll(directory, '<directory>'));
}

const scripts = (await readdir(join(root, 'lua-examples'))).filter((name) => name.endsWith('.lua')).sort();

test.each(scripts)('%s prints what its reader is told', async (script) => {
  const first = await run(script);
  expect(first).toBe(await expected(script));
});

test('an agent remembers what the run before it learned', async () => {
  expect(await run('agent_state.lua')).toContain('run 1, 0 facts known');
  expect(await run('agent_state.lua')).toContain('run 2, 3 facts known');
});

test('the main example can be run again and again', async () => {
  const first = await run('state_backup.lua');
  expect(await run('state_backup.lua')).toBe(first);
});

test('every example is in the list that people read', async () => {
  const readme = await readFile(join(root, 'lua-examples/README.md'), 'utf8');
  for (const script of scripts) expect(readme).toContain(script);
});
