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

const REFUSAL = /is of schema version 2.0.0, and the schemas go up to 1.0.0: it is not written to/;

test('a state of a newer version than the schemas is read and not written to, by anybody, in any way', async () => {
  const cli = await migrating();
  const { id: old } = JSON.parse(await cli.ok('backup', 'create', '--json')) as { id: string };
  await cli.ok('migrate', 'run', '--yes');
  await rm(join(cli.cwd, 'schemas/2.0.0.toml'));
  const refused = await cli.run(['state', 'set', 's', 'k', '1', '--json']);
  expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: 'SCHEMA_NEWER' } });
  await cli.ok('state', 'export', 'e.jsonl');
  await writeFile(join(cli.cwd, 'other.jsonl'), '{"scope": "s", "key": "l", "value": 1}\n');
  for (const args of [
    ['state', 'import', 'other.jsonl', '--yes'],
    ['state', 'import', 'other.jsonl', '--merge'],
    ['state', 'delete', 's', 'k'],
    ['state', 'clear', '--yes'],
    ['backup', 'restore', old, '--scope', 's', '--yes'],
  ])
    expect(await cli.call(...args), args.join(' ')).toMatchObject({ code: 1, stderr: expect.stringMatching(REFUSAL) });
  const script = await cli.run(['exec', 'print(State.get("s", "k").body) State.set("s", "k", 1)']);
  expect(script.stdout).toBe('x\n');
  expect(script.stderr).toContain('The state is of schema version 2.0.0, and the schemas go up to 1.0.0');
  expect(await cli.ok('state', 'get', 's', 'k')).toBe('{"body": "x"}\n');
  const { id } = JSON.parse(await cli.ok('backup', 'create', '--json')) as { id: string };
  // It is the way out; back in, it is told what that means.
  const out = await cli.call('backup', 'restore', old, '--yes');
  expect(out).toMatchObject({ code: 0, stderr: expect.not.stringMatching(REFUSAL) });
  await cli.ok('state', 'set', 's', 'l', '1');
  const newer = await cli.call('backup', 'restore', id, '--yes');
  expect(newer).toMatchObject({ code: 0, stderr: expect.stringMatching(REFUSAL) });
  expect(await cli.ok('state', 'scopes')).toBe('s\n');
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
