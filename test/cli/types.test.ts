import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { type Workspace, workspace } from './cli.js';

let cli: Workspace;
let file: string;
beforeEach(async () => {
  cli = await workspace();
  file = join(cli.cwd, '.luarc.json');
});
const settings = async () => JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;

test('definitions and settings are written; a second time nothing changes', async () => {
  const { code, stdout, stderr } = await cli.run(['types']);
  expect([code, stderr]).toEqual([0, '']);
  const definitions = join(cli.cwd, '.llmspell/types/State.lua');
  expect(stdout).toBe(`Wrote ${definitions}.\nWrote ${file}.\n`);
  expect(await readFile(definitions, 'utf8')).toContain('function State.get(scope, key, default) end');
  expect(await settings()).toMatchObject({
    'workspace.library': ['.llmspell/types'],
    'runtime.version': 'Lua 5.4',
  });
  const before = await stat(file);
  expect(await cli.ok('types')).toContain('names them already');
  expect((await stat(file)).mtimeMs).toBe(before.mtimeMs);
});

test.each([
  ['flat', { 'workspace.library': ['lib'] }, { 'workspace.library': ['lib', '.llmspell/types'] }],
  ['with a prefix', { 'Lua.workspace.library': [] }, { 'Lua.workspace.library': ['.llmspell/types'] }],
  ['nested', { workspace: { library: ['lib'], x: 1 } }, { workspace: { library: ['lib', '.llmspell/types'], x: 1 } }],
  ['nested, without one', { workspace: { x: 1 } }, { workspace: { x: 1, library: ['.llmspell/types'] } }],
  [
    'nested below Lua',
    { Lua: { workspace: { library: [] } } },
    { Lua: { workspace: { library: ['.llmspell/types'] } } },
  ],
])('settings that are there are kept: %s', async (_, given, expected) => {
  await writeFile(file, JSON.stringify({ 'runtime.version': 'Lua 5.4', 'diagnostics.globals': ['vim'], ...given }));
  await cli.ok('types');
  expect(await settings()).toEqual({ 'runtime.version': 'Lua 5.4', 'diagnostics.globals': ['vim'], ...expected });
});

test('another version of Lua is left, and told', async () => {
  await writeFile(file, '{ "runtime.version": "LuaJIT" }');
  const { code, stderr } = await cli.run(['types']);
  expect(code).toBe(0);
  expect(stderr).toContain('says "LuaJIT"; scripts here are Lua 5.4.');
  expect(await settings()).toMatchObject({ 'runtime.version': 'LuaJIT' });
});

test.each(['{ "a": 1, // why\n}', '[]'])('%j is refused, and nothing is written', async (text) => {
  await writeFile(file, text);
  const { code, stderr } = await cli.run(['types']);
  expect(code).toBe(2);
  expect(stderr).toMatch(/\.luarc\.json (is no plain JSON|holds no JSON object)\.\n.*left to you/);
  expect(await readFile(file, 'utf8')).toBe(text);
  await expect(stat(join(cli.cwd, '.llmspell'))).rejects.toThrow('ENOENT');
});

test('a directory may be named', async () => {
  expect(JSON.parse(await cli.ok('types', 'sub', '--json'))).toEqual({
    definitions: join(cli.cwd, 'sub/.llmspell/types/State.lua'),
    settings: join(cli.cwd, 'sub/.luarc.json'),
    settings_changed: true,
  });
});

test.skipIf(!existsSync('/proc/self'))('where nothing can be made, it is told in one sentence', async () => {
  const { code, stderr } = await cli.run(['types', '/proc/llmspell']);
  expect(code).toBe(2);
  expect(stderr).toBe(
    'llmspell: The definitions cannot be written below /proc/llmspell (ENOENT).\nName a directory that you may write to.\n',
  );
});
