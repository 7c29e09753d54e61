import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noFiles } from '../../src/lua/file-access.js';
import type { HostFs } from '../../src/lua/hostfs.js';
import { Library } from '../../src/lua/library.js';
import { quickenReading } from '../../src/lua/reading.js';
import type { LuaVm } from '../../src/lua/vm.js';
import { type MachineOptions, runLua } from './support/machine.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'llmspell-hostfs-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Runs Lua with `dir` set, and returns what it printed. */
async function lua(source: string, options?: MachineOptions): Promise<string> {
  const { stdout, error } = await runLua(`local dir = ${JSON.stringify(dir)}\n${source}`, options);
  expect(error).toBeUndefined();
  return stdout;
}

const file = (name: string) => readFileSync(join(dir, name), 'latin1');

describe('io on real files', () => {
  it('writes and reads every byte there is', async () => {
    await lua(`local all = {} for i = 0, 255 do all[#all + 1] = string.char(i) end
      local f = assert(io.open(dir .. '/bytes', 'wb')) f:write(table.concat(all)) f:close()
      local f = assert(io.open(dir .. '/bytes', 'rb')) assert(f:read('a') == table.concat(all)) f:close()`);
    expect(file('bytes')).toBe(String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i)));
  });

  it('knows every mode', async () => {
    expect(
      await lua(`local path = dir .. '/modes'
        local function with(mode, ...)
          local f = assert(io.open(path, mode)) f:write(...) f:seek('set') print(mode, f:read('a')) f:close()
        end
        with('w+', 'abcdef') with('r+', 'X') with('a+', 'end')
        local f = io.open(path, 'r') print(f:write('no')) f:close()
        local f = io.open(path, 'a') f:write('!') print(f:seek()) f:close()
        print(io.open(path):read('a'))
        print(io.open(path .. '/x', 'w'))
        print(pcall(io.open, path, 'rw'))`),
    ).toBe(
      `w+\tabcdef\nr+\tXbcdef\na+\tXbcdefend\nnil\tNo error information\t0\n10\nXbcdefend!\n` +
        `nil\t${dir}/modes/x: Not a directory\t54\nfalse\tbad argument #2 to 'io.open' (invalid mode)\n`,
    );
  });

  it('seeks, also past the end, as far as a C long reaches', async () => {
    expect(
      await lua(`local f = io.open(dir .. '/sparse', 'w+b')
        f:write('0123456789') print(f:seek('set', 3), f:read(2), f:seek('cur'), f:seek('end', -1), f:read(1))
        print(f:seek('set', 2000000000)) f:write('x') print(f:seek('end')) print(f:seek('set', -1))
        f:seek('set', 1999999999) print((f:read('a'):byte(1, -1))) f:close()`),
    ).toBe('3\t34\t5\t9\t9\n2000000000\n2000000001\nnil\tInvalid argument\t28\n0\n');
  });

  it('mixes reading and writing in one file', async () => {
    await lua(`local f = io.open(dir .. '/mixed', 'w+') f:write('line 1\\nline 2\\nline 3\\n') f:seek('set')
      assert(f:read() == 'line 1') f:seek('cur', 0) f:write('LINE') f:seek('cur', 0) assert(f:read() == ' 2') f:close()`);
    expect(file('mixed')).toBe('line 1\nLINE 2\nline 3\n');
  });

  it('makes a flush, an unbuffered write and a line visible to others at once', async () => {
    await lua(`local function content(name) local f = io.open(dir .. '/' .. name) local s = f:read('a') f:close() return s end
      local f = io.open(dir .. '/f', 'w') f:write('abc') f:flush() assert(content('f') == 'abc')
      local u = io.open(dir .. '/u', 'w') u:setvbuf('no') u:write('x') assert(content('u') == 'x')
      local l = io.open(dir .. '/l', 'w') l:setvbuf('line') l:write('one\\ntwo') assert(content('l') == 'one\\n')
      local big = io.open(dir .. '/b', 'w') big:write(('x'):rep(5000), 'y') big:flush() assert(#content('b') == 5001)`);
  });

  it('reads and writes files much larger than its buffers', async () => {
    await lua(`local f = io.open(dir .. '/big', 'w') for i = 1, 200000 do f:write(i, '\\n') end f:close()
      local n = 0 for line in io.lines(dir .. '/big') do n = n + 1 assert(line == tostring(n)) end assert(n == 200000)
      local f = io.open(dir .. '/big') local whole = f:read('a') f:close()
      local parts = {} for part in io.lines(dir .. '/big', 70000) do parts[#parts + 1] = part end
      assert(table.concat(parts) == whole)`);
    expect(file('big').length).toBe(1_288_895);
  });

  it('may be closed by a finalizer while a line of it is being made', async () => {
    const install = (vm: LuaVm, fs: HostFs) => vm.setUp((L) => quickenReading(vm, new Library(vm, L), fs));
    const source = `
      local f = io.open(dir .. '/f', 'w') for i = 1, 3000 do f:write('line ', i, '\\n') end f:close()
      local ways = { function(f) return f:read() end, function(f) return f:read(7) end, function(f) return f:lines()() end }
      for _, read in ipairs(ways) do
        local f, closed = io.open(dir .. '/f'), false
        repeat
          setmetatable({}, { __gc = function() if not closed then closed = true f:close() end end })
        until not pcall(read, f)
        print(io.type(f))
      end
      local n = 0 for line in io.lines(dir .. '/f') do n = n + #line end print(n)`;
    expect(await lua(source, { install })).toBe(`${'closed file\n'.repeat(3)}25893\n`);
  });

  it('iterates over lines of every length, from the buffer and across it, as it does without the fast path', async () => {
    const install = (vm: LuaVm, fs: HostFs) => vm.setUp((L) => quickenReading(vm, new Library(vm, L), fs));
    const source = `
      local text = {} for i = 0, 3000 do text[#text + 1] = ('x'):rep(i % 1100) .. (i % 7 == 0 and '\\r\\0' or '') end
      text = table.concat(text, '\\n')
      for _, whole in ipairs { text, text .. '\\n', '', '\\n', '\\n\\n', 'no end' } do
        local f = io.open(dir .. '/l', 'w') f:write(whole) f:close()
        local lines, bytes, last = 0, 0, nil
        for line in io.lines(dir .. '/l') do lines, bytes, last = lines + 1, bytes + #line, line end
        local f = io.open(dir .. '/l') f:read(1)
        local n = 0 for line in f:lines() do n = n + #line if n > 10 then break end end
        print(lines, bytes, last and #last, n, f:read('n'), f:seek())
        f:close()
      end
      local next_line = io.lines(dir .. '/l') print(next_line(), next_line(), pcall(next_line))
      local f = io.open(dir .. '/l') local iterate = f:lines('L', 1) print(iterate()) f:close() print(pcall(iterate))`;
    expect(await lua(source, { install })).toBe(await lua(source));
  });

  it('keeps what was written when the script ends without closing', async () => {
    await lua(`KEPT = io.open(dir .. '/kept', 'w') KEPT:write('not lost')`);
    expect(file('kept')).toBe('not lost');
    await runLua(`local f = io.open('${dir}/exit', 'w') f:write('not lost either') os.exit(0)`);
    expect(file('exit')).toBe('not lost either');
  });

  it('gives temporary files that are gone afterwards', async () => {
    expect(await lua(`local t = io.tmpfile() t:write('temporary') t:seek('set') print(t:read('a'))`)).toBe(
      'temporary\n',
    );
  });

  it('reports what the system says, worded as Lua words it', async () => {
    expect(
      await lua(`print(io.open(dir .. '/none')) print(io.open('')) print(io.open(dir, 'w')) print(io.open(dir):read('a'))
        print(pcall(io.lines, dir .. '/none')) print(os.remove(dir .. '/none')) print(os.rename(dir .. '/a', dir .. '/b'))`),
    ).toBe(
      `nil\t${dir}/none: No such file or directory\t44\nnil\t: No such file or directory\t44\n` +
        `nil\t${dir}: Is a directory\t31\nnil\tIs a directory\t31\n` +
        `false\tcannot open file '${dir}/none' (No such file or directory)\nnil\t${dir}/none: No such file or directory\t44\n` +
        `nil\tNo such file or directory\t44\n`,
    );
  });

  it('reports a full disk where the bytes could not be written', async () => {
    expect(await lua(`local f = io.open('/dev/full', 'w') print(f:write(('x'):rep(2000))) print(f:close())`)).toContain(
      'No space left on device',
    );
  });

  it('keeps names that are not UTF-8', async () => {
    await lua(
      `local f = io.open(dir .. '/\\xff\\xfe', 'w') f:write('odd') f:close() assert(io.open(dir .. '/\\xff\\xfe'):read() == 'odd')`,
    );
    expect(execFileSync('ls', ['-b', dir]).toString()).toBe('\\377\\376\n');
  });

  it('opens no more than a thousand files at once, and as many again after closing them', async () => {
    expect(
      await lua(`local open = {}
        for round = 1, 2 do
          local f, message
          repeat f, message = io.open('/dev/null') open[#open + 1] = f until not f
          print(#open > 900, message)
          for _, f in ipairs(open) do f:close() end open = {}
        end`),
    ).toBe('true\t/dev/null: No file descriptors available\n'.repeat(2));
  });

  it('waits for the other end of a named pipe, in both directions', async () => {
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    const writer = spawn('sh', ['-c', `sleep 0.1; echo from the shell > "$0"`, join(dir, 'pipe')]);
    expect(await lua(`print(io.open(dir .. '/pipe'):read('a'))`)).toBe('from the shell\n\n');
    writer.kill();
    const reader = spawn('sh', ['-c', `sleep 0.1; cat "$0" > "$1"`, join(dir, 'pipe'), join(dir, 'got')]);
    const ended = new Promise((resolve) => reader.on('exit', resolve));
    await lua(`local f = io.open(dir .. '/pipe', 'w') f:write(('x'):rep(200000)) f:close()`);
    await ended;
    expect(file('got').length).toBe(200_000);
  });
});

describe('stdin', () => {
  it('is read in lines, numbers, counts and whole, with every byte', async () => {
    expect(
      await lua(`print(io.read('n', 'l')) print(io.read(3)) print(#io.read('a'), io.read('a'), io.read('l'))`, {
        stdin: '42 rest\nabc\0\xff\n',
      }),
    ).toBe('42\t rest\nabc\n3\t\tnil\n');
  });
});

describe('os on the real system', () => {
  it('removes, renames and finds files', async () => {
    writeFileSync(join(dir, 'a'), '');
    mkdirSync(join(dir, 'sub'));
    expect(
      await lua(
        `print(os.rename(dir .. '/a', dir .. '/b')) print(os.remove(dir .. '/b')) print(os.remove(dir .. '/sub'))`,
      ),
    ).toBe('true\ntrue\ntrue\n');
    expect(execFileSync('ls', [dir]).toString()).toBe('');
  });

  it('sees the environment it was given and nothing else', async () => {
    const environment = { HERE: 'yes', UMLAUT: 'ä', EMPTY: '' };
    expect(
      await lua(
        `print(os.getenv('HERE'), os.getenv('UMLAUT') == '\\xc3\\xa4', os.getenv('EMPTY'), os.getenv('PATH'))`,
        { environment },
      ),
    ).toBe('yes\ttrue\t\tnil\n');
  });

  it.each([
    ['os.exit()', 0],
    ['os.exit(true)', 0],
    ['os.exit(false)', 1],
    ['os.exit(7)', 7],
    ['os.exit(256 + 7)', 7],
    ['pcall(pcall, os.exit, 3)', 3],
    ['coroutine.wrap(function() os.exit(4, true) end)()', 4],
  ])('%s ends the script with %i', async (call, code) => {
    expect(await runLua(`print('before') ${call} print('after')`)).toMatchObject({
      stdout: 'before\n',
      exitCode: code,
    });
  });
});

describe('code in files', () => {
  it('is found by require, dofile and loadfile', async () => {
    writeFileSync(join(dir, 'mod.lua'), 'return { name = ..., }');
    writeFileSync(join(dir, 'chunk.lua'), '#!/usr/bin/lua\nreturn 42, ...');
    expect(
      await lua(`package.path = dir .. '/?.lua' local m, where = require('mod') print(m.name, where == dir .. '/mod.lua', require('mod') == m)
        print(dofile(dir .. '/chunk.lua')) print(loadfile(dir .. '/chunk.lua')('x')) print(pcall(require, 'none'))`),
    ).toContain("mod\ttrue\ttrue\n42\n42\tx\nfalse\tmodule 'none' not found:");
  });

  it('is not run from bytecode, whichever way it is asked for', async () => {
    await lua(
      `local f = io.open(dir .. '/code.lua', 'wb') f:write(string.dump(function() print('ran') end)) f:close()`,
    );
    expect(
      await lua(`package.path = dir .. '/?.lua' local path = dir .. '/code.lua'
        print(pcall(dofile, path)) print(loadfile(path)) print(loadfile(path, 'b')) print(pcall(require, 'code'))`),
    ).not.toContain('ran');
  });

  it('is out of reach where no files are allowed', async () => {
    writeFileSync(join(dir, 'mod.lua'), 'return 1');
    expect(
      await lua(
        `package.path = dir .. '/?.lua' print(pcall(require, 'mod')) print(loadfile(dir .. '/mod.lua')) print(io.open(dir .. '/mod.lua')) print(io.tmpfile())`,
        { access: noFiles },
      ),
    ).toMatch(
      /^false\tmodule 'mod' not found:[\s\S]*nil\tcannot open [^\n]*Operation not permitted\nnil\t[^\n]*Operation not permitted\t63\nnil\tOperation not permitted\t63\n$/,
    );
  });
});
