import { afterAll, describe, expect, test } from 'vitest';
import type { MachineLimits } from '../../src/channel/start.js';
import { MACHINE, runScript, scriptHost } from './script-runs.js';

const host = scriptHost({ maxConcurrentScripts: 2 });
afterAll(() => host.close());

const limited = (source: string, limits: Partial<MachineLimits>) =>
  runScript(host, { source, machine: { ...MACHINE, limits: { ...MACHINE.limits, ...limits } } });

const MEBIBYTE = 2 ** 20;
const HOARD = 'local t = {} for i = 1, 1e7 do t[i] = ("x"):rep(1000) .. i end';

describe('the memory limit', () => {
  test('ends a script that hoards, with one sentence', async () => {
    const { exitCode, error } = await limited(HOARD, { memoryBytes: 32 * MEBIBYTE });
    expect([exitCode, error?.code, error?.message]).toEqual([1, 'SCRIPT_MEMORY', 'The script ran out of memory.']);
  });

  test('is an ordinary error to a script that lets go of what it hoards', async () => {
    const source = `
      local ok, message = pcall(function() ${HOARD} end)
      collectgarbage()
      print(ok, message, collectgarbage("count") < 1000, #("y"):rep(1000))`;
    const { text, exitCode } = await limited(source, { memoryBytes: 32 * MEBIBYTE });
    expect([text, exitCode]).toEqual(['false\tnot enough memory\ttrue\t1000\n', 0]);
  });

  test('bounds what the heap can hold, neither by far too little nor by too much', async () => {
    const source = `
      local t, n = {}, 0
      pcall(function() while true do t[#t + 1] = ("x"):rep(100000) .. #t n = n + 100000 end end)
      t = nil collectgarbage()
      print(n)`;
    const { text } = await limited(source, { memoryBytes: 64 * MEBIBYTE });
    expect(Number(text)).toBeGreaterThan(48 * MEBIBYTE);
    expect(Number(text)).toBeLessThan(64 * MEBIBYTE);
  });
});

describe('the instruction limit', () => {
  const BUDGET = { maxInstructions: 200_000 };

  test.each([
    ['a loop', 'while true do end'],
    ['pcall in a loop', 'while true do pcall(function() while true do end end) end'],
    ['xpcall handlers', 'while true do xpcall(error, function() while true do end end) end'],
    ['<close>', 'local x <close> = setmetatable({}, {__close = function() while true do end end}) error()'],
    ['many short coroutines', 'while true do coroutine.wrap(function() for i = 1, 50 do end end)() end'],
    [
      'debug.sethook',
      'debug.sethook = nil or debug.sethook if debug.sethook then debug.sethook() end while true do end',
    ],
  ])('ends %s', async (_, source) => {
    const { exitCode, error } = await limited(source, BUDGET);
    expect([exitCode, error?.code]).toEqual([1, 'SCRIPT_INSTRUCTIONS']);
    expect(error?.message).toBe('The script ran more than 200000 instructions.');
  });

  test('does without finalizers, in which Lua counts nothing', async () => {
    const { text } = await limited('print(#setmetatable({}, {}), pcall(setmetatable, {}, {__gc = print}))', BUDGET);
    expect(text).toContain("0\tfalse\tbad argument #2 to 'setmetatable' (there are no finalizers");
  });

  test('lets a script within it run to its end', async () => {
    const { text, exitCode } = await limited('for i = 1, 10000 do end print("done")', BUDGET);
    expect([text, exitCode]).toEqual(['done\n', 0]);
  });
});

describe('the output limit', () => {
  test('ends a script that prints without end, with what fits', async () => {
    const { text, exitCode, error } = await limited('while true do pcall(print, ("x"):rep(99)) end', {
      maxOutputBytes: 1000,
    });
    expect([exitCode, error?.code, error?.message]).toEqual([
      1,
      'SCRIPT_OUTPUT',
      'The script printed more than 1000 bytes.',
    ]);
    expect(text.length).toBeGreaterThan(900);
    expect(text.length).toBeLessThanOrEqual(1000);
  });

  test('counts stdout and stderr together', async () => {
    const source =
      'io.write(("x"):rep(600)) io.stderr:write(("x"):rep(300)) io.write("fits") io.stderr:write(("x"):rep(200))';
    const { text, error } = await limited(source, { maxOutputBytes: 1000 });
    expect([text.length, error?.code]).toEqual([904, 'SCRIPT_OUTPUT']);
  });
});
