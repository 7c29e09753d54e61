import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import type { MachineLimits, SandboxSettings } from '../../src/channel/start.js';
import type { ScriptHost } from '../../src/host/script-host.js';
import { MACHINE, runScript, scriptHost } from '../host/script-runs.js';

/** The rows of the table of functions: the names in the first column, and what the two levels say. */
const ROWS = readFileSync(new URL('../../docs/sandbox.md', import.meta.url), 'utf8')
  .split('## Function by function')[1]!
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, names, full, safe]) => ({ names: [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!), full, safe }));

/** Prints every function and standard file that a script can name, `print` and `string.rep` alike. */
const NAMES = `
  for name, value in pairs(_G) do
    if type(value) == 'function' then print(name) end
    if type(value) == 'table' and value ~= _G and name ~= 'arg' then
      for field in pairs(value) do print(name .. '.' .. field) end
    end
  end`;

let host: ScriptHost;
let directory: string;
beforeAll(() => {
  host = scriptHost();
  directory = mkdtempSync(join(tmpdir(), 'llmspell-sandbox-'));
  writeFileSync(join(directory, 'string.lua'), 'return "not this one"');
  writeFileSync(join(directory, 'binary'), '\x1bLua');
  writeFileSync(join(directory, 'mine.lua'), 'return "of this directory"');
});
afterAll(async () => {
  await host.close();
  rmSync(directory, { recursive: true });
});

const namesIn = async (stdlib: 'full' | 'safe'): Promise<string[]> => {
  const machine = { ...MACHINE, sandbox: { ...MACHINE.sandbox, stdlib } };
  const { text } = await runScript(host, { source: NAMES, machine });
  return text.trim().split('\n').sort();
};

const covers = (documented: string, name: string) =>
  documented === name || (documented.endsWith('.*') && name.startsWith(documented.slice(0, -1)));

describe('the table in docs/sandbox.md', () => {
  it.each(['full', 'safe'] as const)('names what %s has, and nothing that it lacks', async (level) => {
    const there = await namesIn(level);
    const said = ROWS.filter((row) => !row[level]!.startsWith('no')).flatMap(({ names }) => names);
    const denied = ROWS.filter((row) => row[level]!.startsWith('no')).flatMap(({ names }) => names);
    expect(there.filter((name) => !said.some((documented) => covers(documented, name)))).toEqual([]);
    expect(there.filter((name) => denied.includes(name))).toEqual([]);
    const notThere = said.filter((name) => !name.includes('*') && !/^_|^State$/.test(name) && !there.includes(name));
    expect(notThere).toEqual([]);
  });
});

interface Claim {
  /** The first name of its row. */
  row: string;
  levels?: readonly ('full' | 'safe')[];
  /** What it prints; `DIR` is a directory of three files. */
  source: string;
  prints: string;
  sandbox?: Partial<SandboxSettings>;
  limits?: Partial<MachineLimits>;
}
const BOTH = ['full', 'safe'] as const;
const REFUSED = 'processes are not allowed (runtime.security.allow_process_spawn)';
const elsewhere: Partial<SandboxSettings> = { allowedPaths: ['/usr/lib'] };
const processes: Partial<SandboxSettings> = { processSpawn: true };
const counted: Partial<MachineLimits> = { maxInstructions: 1e6 };

/** What the table says beyond `yes` and `no`, row by row. */
const CLAIMS: readonly Claim[] = [
  {
    row: 'load',
    levels: BOTH,
    source: `print(load('return 1')(), (load('\\27Lua')), (load('\\27Lua', 'x', 'b')), (loadfile(DIR .. '/binary')), (pcall(dofile, DIR .. '/binary')), dofile(DIR .. '/mine.lua'))`,
    prints: '1\tnil\tnil\tnil\tfalse\tof this directory',
  },
  { row: 'require', source: `package.loaded.string = nil print((require('string')))`, prints: 'not this one' },
  {
    row: 'require',
    levels: BOTH,
    source: `print((require('mine')), package.path:sub(1, #DIR + 6) == DIR .. '/?.lua', package.loaded._G == _G, #package.config)`,
    prints: 'of this directory\ttrue\ttrue\t10',
  },
  {
    row: 'package.searchers',
    levels: BOTH,
    source: `package.preload.p = function() return 'preloaded' end
      print(#package.searchers, package.searchers[1]('p')(), package.searchers[2]('mine')())`,
    prints: '2\tpreloaded\tof this directory',
  },
  { row: 'package.cpath', levels: BOTH, source: `print(package.cpath == '')`, prints: 'true' },
  {
    row: 'coroutine.*',
    source: `print(#string.dump(load('')) > 0, (load(string.dump(load('')))))`,
    prints: 'true\tnil',
  },
  {
    row: 'io.open',
    source: `print((select(2, io.open(DIR .. '/mine.lua'))), (pcall(io.lines, DIR .. '/mine.lua')))`,
    prints: 'DIR/mine.lua: Operation not permitted\tfalse',
    sandbox: elsewhere,
  },
  {
    row: 'io.open',
    source: `print(io.open(DIR .. '/mine.lua'):read(), (io.stdin:seek('cur')), (io.stdout:seek('cur')), (io.stderr:seek('cur')))`,
    prints: 'return "of this directory"\tnil\tnil\tnil',
  },
  { row: 'io.tmpfile', source: `print(io.type(io.tmpfile()))`, prints: 'file', sandbox: { allowedPaths: ['/tmp'] } },
  { row: 'io.tmpfile', source: 'print(io.tmpfile())', prints: 'nil\tOperation not permitted\t1', sandbox: elsewhere },
  { row: 'io.popen', source: `print(io.popen('echo there'):read())`, prints: 'there', sandbox: processes },
  { row: 'io.popen', source: `print(io.popen('echo there'))`, prints: `nil\t${REFUSED}\t1` },
  {
    row: 'os.date',
    source: `print(os.date('!%Y-%m-%d', 8640000000000), (pcall(os.date, '!%Y', 8640000000001)))`,
    prints: '275760-09-13\tfalse',
  },
  {
    row: 'os.clock',
    source: `local before = os.clock() for _ = 1, 1e6 do end local after = os.clock() print(before >= 0, before < 10, after > before)`,
    prints: 'true\ttrue\ttrue',
  },
  {
    row: 'os.setlocale',
    source: `print(os.setlocale(), os.setlocale('C'), os.setlocale(''), os.setlocale('de_DE.UTF-8'))`,
    prints: 'C\tC\tC\tnil',
  },
  {
    row: 'os.getenv',
    source: `print(os.getenv('LET_THROUGH'), os.getenv('PATH'))`,
    prints: 'yes\tnil',
    sandbox: { environment: { LET_THROUGH: 'yes' } },
  },
  { row: 'os.execute', source: `print(os.execute('exit 3'))`, prints: 'nil\texit\t3', sandbox: processes },
  { row: 'os.execute', source: `print(os.execute()) print(os.execute('true'))`, prints: `false\nnil\t${REFUSED}\t1` },
  { row: 'os.exit', source: `print('before') os.exit(0) print('after')`, prints: 'before' },
  {
    row: 'os.remove',
    source: `print(os.remove(DIR .. '/mine.lua')) print(os.rename(DIR .. '/mine.lua', DIR .. '/x'))`,
    prints: 'nil\tDIR/mine.lua: Operation not permitted\t1\nnil\tOperation not permitted\t1',
    sandbox: elsewhere,
  },
  {
    row: 'os.remove',
    source: `local f, g = DIR .. '/f', DIR .. '/g' io.open(f, 'w'):close() print(os.rename(f, g), (os.remove(f)), os.remove(g))`,
    prints: 'true\tnil\ttrue',
  },
  {
    row: 'os.tmpname',
    source: 'local name = os.tmpname() print(io.open(name):read(1), os.remove(name))',
    prints: 'nil\ttrue',
    sandbox: { allowedPaths: ['/tmp'] },
  },
  { row: 'os.tmpname', source: 'print((pcall(os.tmpname)))', prints: 'false', sandbox: elsewhere },
  {
    row: 'debug.sethook',
    source: `local lines = 0 debug.sethook(function() lines = lines + 1 end, 'l')
      local x
      debug.sethook() print(lines > 0)`,
    prints: 'true',
  },
  { row: 'debug.sethook', source: 'print(debug.sethook)', prints: 'nil', limits: counted },
  {
    row: 'debug.getlocal',
    source: `print(debug.getlocal(1, 1)) debug.setlocal(1, 1, 2) print(DIR)
      print(('x'):gsub('x', function() return select('#', debug.getlocal(2, 1)) .. select('#', debug.setlocal(2, 1, 'y')) end))`,
    prints: 'DIR\tDIR\n2\n00\t1',
  },
  {
    row: 'debug.getupvalue',
    source: `local up = 1 local function f() return up end
      print(debug.getupvalue(f, 1)) debug.setupvalue(f, 1, 2) print(f())
      print(select('#', debug.getupvalue(string.gmatch('a', 'a'), 1)), select('#', debug.setupvalue(string.gmatch('a', 'a'), 1, 1)))`,
    prints: 'up\t1\n2\n0\t0',
  },
  {
    row: 'debug.setmetatable',
    source: `debug.setmetatable(1, { __index = function(n, key) return key end }) print((1).one, (pcall(debug.setmetatable, io.stdout, {})))`,
    prints: 'one\tfalse',
  },
  { row: 'debug.setmetatable', source: 'print(debug.setmetatable)', prints: 'nil', limits: counted },
  { row: 'State', levels: BOTH, source: 'print(State)', prints: 'nil' },
];

describe('what the table says beyond yes and no', () => {
  const cases = CLAIMS.flatMap((claim) => (claim.levels ?? ['full']).map((level) => ({ ...claim, level })));
  test.each(cases)('$row, $level: $source', async ({ source, prints, level, sandbox, limits }) => {
    const { text, error } = await runScript(host, {
      source: `local DIR = ${JSON.stringify(directory)} ${source}`,
      chunkName: `@${directory}/script.lua`,
      stdin: Readable.from([]),
      machine: {
        ...MACHINE,
        limits: { ...MACHINE.limits, ...limits },
        sandbox: { ...MACHINE.sandbox, ...sandbox, stdlib: level },
      },
    });
    expect([text.replaceAll(directory, 'DIR'), error?.message]).toEqual([`${prints}\n`, undefined]);
  });

  it.each(BOTH)('is checked for every row of %s', (level) => {
    const claimed = new Set(CLAIMS.filter(({ levels = ['full'] }) => levels.includes(level)).map(({ row }) => row));
    const conditional = ROWS.filter((row) => !/^(yes|no)$/.test(row[level]!)).map(({ names }) => names[0]!);
    expect(conditional.filter((row) => !claimed.has(row))).toEqual([]);
  });
});
