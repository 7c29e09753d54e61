import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
beforeAll(() => {
  host = scriptHost();
});
afterAll(() => host.close());

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
