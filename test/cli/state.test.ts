import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Workspace, workspace } from './cli.js';

let cli: Workspace;
beforeEach(async () => {
  cli = await workspace();
});
const configure = (toml: string) => writeFile(join(cli.cwd, 'llmspell.toml'), toml);
const ok = async (...args: string[]) => {
  const { code, stdout, stderr } = await cli.run(args);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
};

test('what is set is there for the next command ', async () => {
  expect(await ok('state', 'set', 'user', 'name', '"Ada"')).toBe('');
  await ok('state', 'set', 'global', 'list', '[1, 2.5, {"x": true}]');
  expect(await ok('state', 'get', 'global', 'list')).toBe('[1, 2.5, {"x": true}]\n');
  expect(JSON.parse(await ok('state', 'get', 'global', 'list', '--json'))).toEqual({
    scope: 'global',
    key: 'list',
    value: [1, 2.5, { x: true }],
  });
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
