import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import type { ScriptHost } from '../../src/host/script-host.js';
import { StateService } from '../../src/host/state-service.js';
import { createMemoryBackend } from '../../src/state/backends/memory.js';
import { openStore } from '../../src/state/store.js';
import type { StateStore } from '../../src/state/types.js';
import { MACHINE, type Outcome, runScript, scriptHost } from '../host/script-runs.js';

const SCRIPTS = new URL('escapes/', import.meta.url);

/** What each file of attempts runs behind: a result is the values or the error; a `must` beginning with `~` is looked for anywhere in it. */
const PRELUDE = `
  JAIL, OUTSIDE = ...
  local tostring, select, pcall, print = tostring, select, pcall, print
  local function text(ok, ...)
    local parts = {}
    for i = 1, select('#', ...) do parts[i] = tostring((select(i, ...))) end
    return (ok and '' or 'error: ') .. table.concat(parts, ' ')
  end
  function attempt(name, must, fn, ...)
    local got = text(pcall(fn, ...))
    local found = must:sub(1, 1) == '~' and got:find(must:sub(2), 1, true) or got == must
    print((found and 'held\\t' or 'ESCAPED\\t') .. (name .. '\\t' .. must .. '\\t' .. got:sub(1, 300)):gsub('[\\n\\0]', ' '))
  end
`.replaceAll('\n', ' ');

let host: ScriptHost;
let store: StateStore;
let outside: string;
let jail: string;

beforeAll(async () => {
  outside = mkdtempSync(join(tmpdir(), 'llmspell-escape-'));
  jail = join(outside, 'jail');
  mkdirSync(join(jail, 'sub'), { recursive: true });
  writeFileSync(join(outside, 'secret.txt'), 'the secret');
  writeFileSync(join(jail, 'in.txt'), 'inside');
  symlinkSync('../secret.txt', join(jail, 'out'));
  symlinkSync('..', join(jail, 'out_dir'));
  symlinkSync('out', join(jail, 'chain'));
  symlinkSync('../created.txt', join(jail, 'dangling'));
  symlinkSync('loop', join(jail, 'loop'));
  symlinkSync('/proc', join(jail, 'proc'));
  symlinkSync('/dev/zero', join(jail, 'device'));
  symlinkSync('..', join(jail, 'sub', 'up'));
  for (const name of ['race', 'race/sub']) mkdirSync(join(jail, name));
  writeFileSync(join(jail, 'race', 'sub', 'secret.txt'), 'inside');
  symlinkSync('../..', join(jail, 'race', 'way_out'));
  execFileSync('mkfifo', [join(jail, 'pipe')]);
  store = await openStore(createMemoryBackend());
  host = scriptHost({
    service: new StateService({ store: async () => store, calls: {} }),
    machine: {
      ...MACHINE,
      state: true,
      sandbox: { ...MACHINE.sandbox, allowedPaths: [jail], environment: { ALLOWED: 'yes' } },
    },
  });
});

afterAll(async () => {
  await host.close();
  await store.close();
  rmSync(outside, { recursive: true });
});

const run = (source: string): Promise<Outcome> => {
  const stdin = Readable.from([Buffer.from('\x1bLua\x54\x00', 'latin1')]);
  return runScript(host, { source: PRELUDE + source, args: [jail, outside], stdin });
};

describe.each(readdirSync(SCRIPTS).map((name) => name.replace('.lua', '')))('escapes by %s', (name) => {
  it('are all held', { timeout: 60_000 }, async () => {
    const source = readFileSync(new URL(`${name}.lua`, SCRIPTS), 'utf8');
    const { text, error } = await run(source);
    expect(error?.message).toBeUndefined();
    const lines = text.trimEnd().split('\n');
    expect(lines.filter((line) => !line.startsWith('held\t'))).toEqual([]);
    // Every attempt in the file was made.
    expect(lines.length).toBeGreaterThanOrEqual(source.match(/^\s*attempt\(/gm)!.length);
  });
});

test('a directory that another script exchanges for a link outwards, again and again, leads nowhere outside', async () => {
  const exchange = `
    local dir = JAIL .. '/race/'
    for i = 1, 1000 do
      os.rename(dir .. 'sub', dir .. 'kept') os.rename(dir .. 'way_out', dir .. 'sub')
      os.rename(dir .. 'sub', dir .. 'way_out') os.rename(dir .. 'kept', dir .. 'sub')
    end
    print('exchanged')`;
  const look = `
    local seen = {}
    for i = 1, 2000 do
      local f = io.open(JAIL .. '/race/sub/secret.txt')
      local text = f and f:read('a') or 'refused'
      if f then f:close() end
      seen[text] = (seen[text] or 0) + 1
      local new = io.open(JAIL .. '/race/sub/made.txt', 'w')
      if new then new:close() end
    end
    print(seen['the secret'], seen.inside > 0, seen.refused > 0)`;
  const [exchanged, ...looked] = await Promise.all([exchange, look, look].map(run));
  expect([exchanged!.text, ...looked.map(({ text }) => text)]).toEqual([
    'exchanged\n',
    'nil\ttrue\ttrue\n',
    'nil\ttrue\ttrue\n',
  ]);
});

describe('after all attempts', () => {
  it('the world outside is as it was', () => {
    expect(readdirSync(outside).sort()).toEqual(['jail', 'secret.txt']);
    expect(readFileSync(join(outside, 'secret.txt'), 'utf8')).toBe('the secret');
  });

  it('the next script finds nothing of the ones before', async () => {
    const { text } = await run(`print(attempt ~= nil, string.shout, package.preload.mine, os.getenv('ALLOWED'))`);
    expect(text).toBe('true\tnil\tnil\tyes\n');
  });
});
