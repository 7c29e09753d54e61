import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ScriptHost } from '../../src/host/script-host.js';
import { MACHINE, runScript, scriptHost } from './script-runs.js';

let host: ScriptHost;
let directory: string;

beforeAll(async () => {
  host = scriptHost({ warm: true });
  directory = await mkdtemp(join(tmpdir(), 'llmspell-host-'));
});

afterAll(async () => {
  await host.close();
  await rm(directory, { recursive: true });
});

describe('a script', () => {
  test('prints what it prints, and ends with 0', async () => {
    const { text, exitCode, error } = await runScript(host, 'print("one", 2) io.write("no newline")');
    expect({ text, exitCode, error }).toEqual({ text: 'one\t2\nno newline', exitCode: 0, error: undefined });
  });

  test('gets its arguments in arg and in ...', async () => {
    const { text } = await runScript(host, {
      source: 'print(arg[0], #arg, arg[1], arg[2], ...)',
      scriptName: 'x.lua',
      args: ['a b', '--x', 'ü'],
    });
    expect(Buffer.from(text, 'latin1').toString()).toBe('x.lua\t3\ta b\t--x\ta b\t--x\tü\n');
  });

  test('is read from a file; a byte-order mark and a shebang line are skipped, line numbers stay', async () => {
    const path = join(directory, 'shebang.lua');
    await writeFile(path, '\ufeff#!/usr/bin/env -S llmspell run\nprint("ran")\nerror("here")\n');
    const { text, error } = await runScript(host, { path });
    expect(text).toBe('ran\n');
    expect(error?.message).toBe(`${path}:3: here`);
  });

  test('that does not exist is refused in one sentence', async () => {
    await expect(host.run({ path: join(directory, 'none.lua') })).rejects.toMatchObject({
      code: 'SCRIPT_NOT_FOUND',
      message: `Cannot open ${join(directory, 'none.lua')}: there is no such file.`,
    });
  });

  test('that is bytecode is refused', async () => {
    const { error } = await runScript(host, { source: Buffer.from('\x1bLua\x54\x00', 'latin1') });
    expect(error?.code).toBe('SCRIPT_SYNTAX');
    expect(error?.message).toMatch(/attempt to load a binary chunk/);
  });
});

describe('an error', () => {
  test('has the message and the traceback that lua prints', async () => {
    const source = 'local function inner() error("broken") end\nlocal function outer() inner() end\nouter()';
    const { exitCode, error } = await runScript(host, { source, chunkName: '@script.lua' });
    expect(exitCode).toBe(1);
    expect(error).toMatchObject({ code: 'SCRIPT_ERROR', message: 'script.lua:1: broken' });
    expect(error?.traceback).toBe(
      [
        'stack traceback:',
        "\t[C]: in function 'error'",
        "\tscript.lua:1: in upvalue 'inner'",
        "\tscript.lua:2: in local 'outer'",
        '\tscript.lua:3: in main chunk',
        '\t[C]: in ?',
      ].join('\n'),
    );
  });

  test('in the syntax names the line', async () => {
    const { error } = await runScript(host, { source: 'local x =\n= 1', chunkName: '@s.lua' });
    expect(error).toMatchObject({ code: 'SCRIPT_SYNTAX', message: "s.lua:2: unexpected symbol near '='" });
    expect(error?.traceback).toBeUndefined();
  });

  test('that is no string is described as lua describes it', async () => {
    const table = await runScript(host, 'error({})');
    expect(table.error?.message).toBe('(error object is a table value)');
    const own = await runScript(host, 'error(setmetatable({}, {__tostring = function() return "mine" end}))');
    expect(own.error).toMatchObject({ message: 'mine' });
    expect(own.error?.traceback).toBeUndefined();
  });
});

describe('ending', () => {
  test('by os.exit gives its code, through every pcall', async () => {
    expect((await runScript(host, 'io.write("so far") pcall(os.exit, 7)')).exitCode).toBe(7);
    expect((await runScript(host, 'os.exit(true)')).exitCode).toBe(0);
    expect((await runScript(host, 'os.exit(false)')).exitCode).toBe(1);
    expect((await runScript(host, 'io.write("so far") os.exit(2)')).text).toBe('so far');
  });

  test('by an abort signal is told as such, and what was printed is there', async () => {
    const control = new AbortController();
    const output = (_: number, bytes: Uint8Array) => {
      printed += Buffer.from(bytes).toString();
      control.abort();
    };
    let printed = '';
    const source = 'print("started") io.stdout:flush() while true do end';
    const { exitCode, error } = await host.run({ source, signal: control.signal, output });
    expect({ exitCode, code: error?.code, printed }).toEqual({ exitCode: 130, code: 'ABORTED', printed: 'started\n' });
  });

  test('a signal that is given already ends it before it starts', async () => {
    await expect(host.run({ source: 'x()', signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
  });

  test('not by a time limit of many years', async () => {
    const { text, error } = await runScript(host, { source: 'print("in time")', timeoutSeconds: 1e9 });
    expect([text, error]).toEqual(['in time\n', undefined]);
  });
});

test('a machine that cannot be built is told in one sentence, and the next script runs', async () => {
  const { exitCode, error } = await runScript(host, {
    source: 'print(1)',
    machine: { ...MACHINE, limits: null as never },
  });
  expect([exitCode, error?.code]).toEqual([1, 'SCRIPT_CRASHED']);
  expect(error?.message).toMatch(/^The script's thread ended unexpectedly: .*[^\n]\.$/);
  expect((await runScript(host, 'print("next")')).text).toBe('next\n');
});

describe('several scripts', () => {
  test('run at once up to the limit, and the others after them', async () => {
    const narrow = scriptHost({ maxConcurrentScripts: 2 });
    const results = await Promise.all([1, 2, 3, 4, 5].map((n) => runScript(narrow, `print(${n})`)));
    expect(results.map((r) => r.text)).toEqual(['1\n', '2\n', '3\n', '4\n', '5\n']);
    await narrow.close();
  });

  test('never more at once than the limit says', async () => {
    const narrow = scriptHost({ maxConcurrentScripts: 2 });
    let running = 0;
    let most = 0;
    const output = (_: number, bytes: Uint8Array) => {
      for (const [word] of Buffer.from(bytes)
        .toString()
        .matchAll(/on|off/g)) {
        running += word === 'on' ? 1 : -1;
        most = Math.max(most, running);
      }
    };
    const source =
      'io.stderr:write("on") local t = os.clock() repeat until os.clock() > t + 0.05 io.stderr:write("off")';
    await Promise.all(Array.from({ length: 6 }, () => narrow.run({ source, output })));
    expect(running).toBe(0);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(2);
    await narrow.close();
  });

  test('one that waits can be stopped, and closing stops all', async () => {
    const narrow = scriptHost({ maxConcurrentScripts: 1 });
    const control = new AbortController();
    const running = runScript(narrow, 'while true do end');
    const stopped = narrow.run({ source: 'print(1)', signal: control.signal });
    const waiting = narrow.run({ source: 'print(1)' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    control.abort();
    await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' });
    await Promise.all([expect(waiting).rejects.toMatchObject({ code: 'STATE_CLOSED' }), narrow.close()]);
    expect((await running).error?.code).toBe('ABORTED');
  });
});
