import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Workspace, workspace } from './cli.js';

let cli: Workspace;
beforeEach(async () => {
  cli = await workspace();
});
const configure = (toml: string) => writeFile(join(cli.cwd, 'llmspell.toml'), toml);
const ok = (...args: string[]) => cli.ok(...args);

test('what is set is there for the next process and for scripts, and the other way round', async () => {
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await cli.run(args);
    expect([code, stderr]).toEqual([0, '']);
    return stdout;
  };
  expect(await run('state', 'set', 'user', 'name', '"Ada"')).toBe('');
  expect(await run('exec', 'print(State.get("user", "name")) State.set("list", {1, 2.5, {x = true}})')).toBe('Ada\n');
  expect(await run('state', 'get', 'global', 'list')).toBe('[1, 2.5, {"x": true}]\n');
  expect(JSON.parse(await run('state', 'get', 'global', 'list', '--json'))).toEqual({
    scope: 'global',
    key: 'list',
    value: [1, 2.5, { x: true }],
  });
});

test('scopes, list and show tell what there is', async () => {
  await ok('exec', 'for _, k in ipairs{"b", "a1", "a2"} do State.set("s", k, k) end State.set("g", 1)');
  expect(await ok('state', 'scopes')).toBe('global\ns\n');
  expect(await ok('state', 'list', 's', '--prefix', 'a')).toBe('a1\na2\n');
  expect(JSON.parse(await ok('state', 'list', '--json'))).toEqual({ scope: 'global', keys: ['g'] });
  expect(await ok('state', 'show')).toBe('global\n  g  1\n\ns\n  a1  "a1"\n  a2  "a2"\n  b   "b"\n');
  expect(await ok('state', 'show', '--scope', 's', 'b')).toBe('"b"\n');
  expect(JSON.parse(await ok('state', 'show', '--scope', 's', '--json')).entries).toHaveLength(3);
});

test('delete says whether there was something; clear wants a yes where nobody can be asked', async () => {
  await ok('exec', 'State.set("a", 1) State.set("s", "b", 2) State.set("s", "c", 3)');
  expect(JSON.parse(await ok('state', 'delete', 'global', 'a', '--json'))).toMatchObject({ deleted: true });
  const again = await cli.run(['state', 'delete', 'global', 'a']);
  expect(again).toEqual({ code: 0, stdout: '', stderr: 'note: There was no a in the scope global.\n' });
  const refused = await cli.run(['state', 'clear']);
  expect([refused.code, refused.stdout]).toEqual([2, '']);
  expect(refused.stderr).toContain('Confirm it with --yes.');
  expect(await ok('state', 'clear', '--scope', 's', '--yes')).toBe('Deleted 2 entries.\n');
  expect(await ok('state', 'show')).toBe('There are no entries.\n');
});

test('what a killed export left is gone after the next one', async () => {
  await writeFile(join(cli.cwd, 'x.jsonl.tmp-999999999-0123abcd'), 'half');
  await cli.ok('state', 'export', 'x.jsonl');
  expect((await readdir(cli.cwd)).filter((name) => name.startsWith('x.jsonl'))).toEqual(['x.jsonl']);
});

test('an export holds every value exactly, in both forms; importing it makes the state that again', async () => {
  const values =
    'State.set("f", 1.0) State.set("i", math.maxinteger) State.set("s", "\\xff", {[3] = "\\0", [true] = {}})';
  await ok('exec', values);
  const lines = await ok('state', 'export');
  expect(await ok('state', 'export', 'all.json', '--format', 'json')).toBe('Exported 3 entries to all.json.\n');
  await ok('exec', 'State.set("f", 1) State.set("more", 2) State.delete("i")');
  await writeFile(join(cli.cwd, 'all.jsonl'), lines);
  await ok('state', 'import', 'all.jsonl', '--merge');
  expect(await ok('state', 'list')).toBe('f\ni\nmore\n');
  expect(JSON.parse(await ok('state', 'import', 'all.json', '--yes', '--json'))).toMatchObject({ entries: 3 });
  expect(await ok('state', 'export')).toBe(lines);
  const { scopes, entries } = JSON.parse(await ok('state', 'stats', '--json'));
  expect([entries, scopes]).toMatchObject([
    3,
    [
      { scope: 'global', entries: 2 },
      { scope: 's', entries: 1 },
    ],
  ]);
});

test.each([
  ['{"scope": "a"', 1, 'x:1: this is no export of a state'],
  ['{"scope": "a", "key": "k", "value": 1}\n{"scope": "a", "key": "", "value": 1}', 1, 'Entry 2 of the export: '],
  ['{"entries": 5}', 1, 'it has no list of entries'],
  [undefined, 2, 'Cannot read x: there is no such file.'],
])('importing %j changes nothing', async (content, code, sentence) => {
  await ok('state', 'set', 'a', 'k', '0');
  if (content !== undefined) await writeFile(join(cli.cwd, 'x'), content);
  const finished = await cli.run(['state', 'import', 'x', '--yes']);
  expect([finished.code, finished.stdout]).toEqual([code, '']);
  expect(finished.stderr).toContain(sentence);
  expect(await ok('state', 'get', 'a', 'k')).toBe('0\n');
});

describe('what is wrong', () => {
  test('a key that is not there exits 1 and says where to look', async () => {
    const { code, stderr } = await cli.run(['state', 'get', 'global', 'gone']);
    expect([code, stderr]).toEqual([
      1,
      'llmspell: There is no gone in the scope global.\n`llmspell state list global` prints the keys there are.\n',
    ]);
  });

  test('a value that is not JSON, and one that JSON cannot carry', async () => {
    const text = await cli.run(['state', 'set', 'global', 'x', 'hello']);
    expect(text.code).toBe(2);
    expect(text.stderr).toContain(`Text is written in quotes: '"hello"'.`);
    const big = await cli.run(['state', 'set', 'global', 'x', '9223372036854775807']);
    expect(big.code).toBe(1);
    expect(big.stderr).toContain('write {"$int": "…"}');
    await ok('state', 'set', 'global', 'x', '{"$int": "9223372036854775807"}');
    expect(await ok('state', 'get', 'global', 'x')).toBe('9223372036854775807\n');
  });

  test('with the memory backend there is no state to look at: exit 2', async () => {
    await configure('[runtime.state_persistence]\nbackend_type = "memory"');
    const { code, stderr } = await cli.run(['state', 'list']);
    expect(code).toBe(2);
    expect(stderr).toContain('backend_type = "level"');
  });

  test('a state directory that cannot be made: exit 3, naming it', async () => {
    await writeFile(join(cli.cwd, 'file'), '');
    await configure('[runtime.state_persistence]\npath = "file/state"');
    const { code, stderr } = await cli.run(['state', 'list']);
    expect(code).toBe(3);
    expect(stderr).toContain(join(cli.cwd, 'file/state'));
  });

  test('state that is switched off: exit 2', async () => {
    await configure('[runtime.state_persistence]\nenabled = false');
    expect(await cli.run(['state', 'list'])).toMatchObject({ code: 2, stdout: '' });
  });
});
