import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ScriptHost } from '../../src/host/script-host.js';
import { runScript, scriptHost } from '../host/script-runs.js';

// What the stand-alone interpreter does around a script: how it ends, what it says, with which exit code. Without `lua5.4` nothing tells what is right.
const hasNative = spawnSync('lua5.4', ['-v']).error === undefined;

const SCRIPTS = `
error('message')
error('message', 0)
error('two\\nlines')
error({})
error(nil)
error()
error(42)
error(print)
error(true)
error(setmetatable({}, { __tostring = function() return 'my own words' end }))
error(setmetatable({}, { __tostring = function() return 1 end }))
error(setmetatable({}, { __tostring = function() error('in __tostring') end }))
error(('x'):rep(300))
assert(false)
assert(nil, 'a message')
assert(false, {})
local function f() local function g() error('deep') end g() end f()
local function f(n) if n == 0 then error('deeper') end f(n - 1) return 1 end f(30)
local t = nil t.x = 1
local x <close> = setmetatable({}, { __close = function(_, e) print('closing', e) error('in close') end }) error('body')
local x <close> = setmetatable({}, { __close = function() error('in close') end })
coroutine.wrap(function() error('in a coroutine') end)()
coroutine.wrap(function() local x = nil + 1 end)()
table.sort({ 1, 2, 3, 'x' })
string.gsub('a', 'a', function() error('in gsub') end)
load('error("loaded")', '=chunk')()
load('x = = 1')()
dofile('not there.lua')
string.rep()
('x'):bad()
xpcall(function() error('a') end, function() error('b') end)
print(xpcall(function() error('a') end, function() error('b') end))
print(select(2, xpcall(function() local x = nil x() end, debug.traceback)))
print(debug.traceback('from here', 1))
debug.traceback = nil error('without debug.traceback')
setmetatable(_G, { __index = function(_, k) error('undefined ' .. k, 2) end }) local function f() return nowhere end f()
coroutine.yield()
print(coroutine.isyieldable(), select(2, coroutine.running()), pcall(coroutine.yield))
warn('@on') warn('a', 'b') warn('@off') warn('unheard')
warn('@on') setmetatable({}, { __gc = function() error('in a finalizer') end }) collectgarbage()
warn('@on') LEFT = setmetatable({}, { __gc = function() error('at the end') end })
io.stderr:write('first\\n') io.write('then\\n')
os.exit(true)
os.exit(false)
os.exit(7)
os.exit(2.0)
os.exit(2.5)
os.exit('x')
pcall(os.exit, 300)
os.exit(true, true)
local x <close> = setmetatable({}, { __close = function() print('closed') end }) os.exit(3, true)
local x <close> = setmetatable({}, { __close = function() print('not closed') end }) os.exit(3)
print(arg[0], arg[1], arg[2], #arg, ...)
return 1, 2
x =
for
local a <const> = 1 a = 2
goto nowhere
break
::a:: ::a::
local x <unknown> = 1
local s = "unfinished
--[[ unfinished
x = 0x
x = '\\q'
x = '\\300'
x = '\\u{80000000}'
x = }
`
  .trim()
  .split('\n');

let host: ScriptHost;
let dir: string;
beforeAll(() => {
  host = scriptHost({ warm: true });
  dir = mkdtempSync(join(tmpdir(), 'llmspell-standalone-'));
});
afterAll(async () => {
  await host.close();
  rmSync(dir, { recursive: true });
});

const withoutAddresses = (text: string) => text.replaceAll(/0x[0-9a-f]+/g, '(address)');

describe.skipIf(!hasNative)('as lua5.4 does it', () => {
  it.each(SCRIPTS.map((source) => [source]))('%s', async (source) => {
    const path = join(dir, 'script.lua');
    writeFileSync(path, `${source}\n`);
    const native = spawnSync('sh', ['-c', 'exec lua5.4 "$0" a b 2>&1', path], { cwd: dir, encoding: 'latin1' });
    const { text, exitCode, error } = await runScript(host, { path, args: ['a', 'b'] });
    const said =
      error === undefined ? '' : ['lua5.4: ', error.message, error.traceback && `\n${error.traceback}`, '\n'].join('');
    expect(withoutAddresses(text + said)).toBe(withoutAddresses(native.stdout));
    expect(exitCode).toBe(native.status);
  });
});
