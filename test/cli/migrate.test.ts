import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { workspace } from './cli.js';

const SCHEMA = '[[steps]]\nscope = "s"\nrename = { from = "text", to = "body" }\n';

/** Two versions, and an entry of the first. */
async function migrating() {
  const cli = await workspace();
  const config = '[runtime.state_persistence]\nmigration_enabled = true\n[runtime.state_persistence.backup]\n';
  await writeFile(join(cli.cwd, 'llmspell.toml'), config);
  await mkdir(join(cli.cwd, 'schemas'));
  await writeFile(join(cli.cwd, 'schemas/1.0.0.toml'), '');
  await cli.ok('migrate', 'run', '--yes', '--quiet');
  await writeFile(join(cli.cwd, 'schemas/2.0.0.toml'), SCHEMA);
  await cli.ok('state', 'set', 's', 'k', '{"text": "x"}');
  return cli;
}

test('restoring a backup of an older version says so, and migrates it with --migrate', async () => {
  const cli = await migrating();
  const { id } = JSON.parse(await cli.ok('backup', 'create', '--json')) as { id: string };
  await cli.ok('migrate', 'run', '--yes');
  const plain = await cli.run(['backup', 'restore', id, '--yes']);
  expect(plain.stderr).toContain('schema version 1.0.0 (the present one was of 2.0.0)');
  expect(plain.stderr).toContain('restoring with --migrate');
  expect(await cli.ok('state', 'get', 's', 'k')).toBe('{"text": "x"}\n');
  await cli.ok('migrate', 'run', '--yes');
  const migrated = await cli.run(['backup', 'restore', id, '--yes', '--migrate', '--json']);
  expect(JSON.parse(migrated.stdout)).toMatchObject({ schema_version: '2.0.0' });
  expect(await cli.ok('state', 'get', 's', 'k')).toBe('{"body": "x"}\n');
  const refused = await cli.run(['backup', 'restore', id, '--yes', '--migrate', '--scope', 's']);
  expect(refused).toMatchObject({ code: 2 });
}, 60_000);

test('a state of a newer version than the schemas is read and not written to, by anybody', async () => {
  const cli = await migrating();
  await cli.ok('migrate', 'run', '--yes');
  await rm(join(cli.cwd, 'schemas/2.0.0.toml'));
  const refused = await cli.run(['state', 'set', 's', 'k', '1', '--json']);
  expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: 'SCHEMA_NEWER' } });
  const script = await cli.run(['exec', 'print(State.get("s", "k").body) State.set("s", "k", 1)']);
  expect(script.stdout).toBe('x\n');
  expect(script.stderr).toContain('The state is of schema version 2.0.0, and the schemas go up to 1.0.0');
  expect(await cli.ok('state', 'get', 's', 'k')).toBe('{"body": "x"}\n');
}, 60_000);

test('what stands in the way of a migration is listed, for people and for programs', async () => {
  const cli = await migrating();
  await cli.ok('state', 'set', 's', 'l', '{"text": 1, "body": 2}');
  const told = await cli.run(['migrate', 'run', '--yes']);
  expect(told.code).toBe(1);
  expect(told.stderr).toContain('s l: body: there is a value already: 2');
  const json = await cli.run(['migrate', 'run', '--yes', '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({
    error: { code: 'MIGRATION_FAILED' },
    failures: [{ scope: 's', key: 'l', field: 'body' }],
    failure_count: 1,
  });
}, 60_000);
