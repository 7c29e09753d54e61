import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// The real command with real files, pipes and terminals as its standard streams.
const COMMAND = `'${process.execPath}' '${fileURLToPath(new URL('../../bin/llmspell.js', import.meta.url))}' run`;

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'llmspell-stdio-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Runs a shell line in which `RUN` is the command with the script; returns its output, both streams, as bytes. */
function shell(line: string, script: string): string {
  writeFileSync(join(dir, 'script.lua'), script);
  const { stdout } = spawnSync('sh', ['-c', line.replaceAll('RUN', `${COMMAND} --allow process script.lua`)], {
    cwd: dir,
  });
  return stdout.toString('latin1');
}

describe('standard output', () => {
  it('to a file holds every byte, in the order of both streams and of processes', () => {
    shell(
      'RUN > both.txt 2>&1',
      `io.write('a\\0\\xff ') io.stderr:write('b ') print('c') os.execute('echo d; echo e >&2') io.write('f') io.stderr:write('g')`,
    );
    expect(readFileSync(join(dir, 'both.txt'), 'latin1')).toBe('a\0\xff b c\nd\ne\nfg');
  });

  it('to a pipe that is read slowly is complete', () => {
    const count = shell(
      'RUN | (sleep 0.3; wc -c)',
      `for i = 1, 20000 do io.write(('x'):rep(99), '\\n') end io.write('end')`,
    );
    expect(count.trim()).toBe('2000003');
  });

  it('to a pipe that nobody reads any more ends the script quietly, as SIGPIPE ends lua', () => {
    const status = shell(
      '{ { RUN 2> errors.txt; echo $? > status.txt; } | head -n 1; }',
      'while true do print("again") end',
    );
    expect(status).toBe('again\n');
    expect(readFileSync(join(dir, 'status.txt'), 'utf8')).toBe('141\n');
    expect(readFileSync(join(dir, 'errors.txt'), 'utf8')).toBe('');
  });

  it('to a full disk is reported in one sentence', () => {
    const text = shell('RUN 2>&1 > /dev/full; echo "exit $?"', 'print("lost")');
    expect(text).toMatch(/^llmspell: The script's output could not be written: ENOSPC[^\n]*\n[^\n]+\nexit 1\n$/);
  });

  it('that is not there is no failure', () => {
    expect(shell('RUN >&-; echo "exit $?"', 'print("nowhere")')).toBe('exit 0\n');
  });

  it('to a reader that does not read keeps no script beyond its time', async () => {
    writeFileSync(join(dir, 'flood.lua'), `while true do print('again and again') end`);
    const child = spawn('sh', ['-c', `exec ${COMMAND} --timeout 0.5 flood.lua`], {
      cwd: dir,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    // Nobody listens to its stdout.
    expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(124);
    child.stdout.destroy();
  });

  it('holds what was printed when an error or the time limit ends the script', () => {
    expect(shell('RUN 2> /dev/null', `io.write('before') error('x')`)).toBe('before');
    expect(shell('RUN', `io.write('so far') os.exit(3)`)).toBe('so far');
    writeFileSync(join(dir, 'endless.lua'), `io.write('until now') while true do end`);
    const { stdout, status } = spawnSync('sh', ['-c', `${COMMAND} --timeout 1 endless.lua`], { cwd: dir });
    expect([stdout.toString(), status]).toEqual(['until now', 124]);
  });
});

describe('standard input', () => {
  it('comes from a file, a pipe and a socket, with every byte', () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) % 256));
    writeFileSync(join(dir, 'input.bin'), bytes);
    const script = `local s = io.read('a') local sum = 0 for i = 1, #s do sum = (sum * 31 + s:byte(i)) % 1000003 end print(#s, sum)`;
    const sum = bytes.reduce((so, byte) => (so * 31 + byte) % 1000003, 0);
    const expected = `300000\t${sum}\n`;
    expect(shell('RUN < input.bin', script)).toBe(expected);
    expect(shell('cat input.bin | RUN', script)).toBe(expected);
    // Node's own pipes to a child are sockets.
    expect(execFileSync('sh', ['-c', `exec ${COMMAND} script.lua`], { cwd: dir, input: bytes }).toString()).toBe(
      expected,
    );
  });

  it.runIf(process.platform === 'linux')('that is a file seeks, from where others have left it', () => {
    writeFileSync(join(dir, 'three.txt'), 'one\ntwo\nthree\n');
    const script = `print(io.stdin:seek(), io.read(), io.stdin:seek(), io.stdin:seek('set', 1), io.read('L'), io.stdin:seek('end'), io.read())
      print(io.stdin:seek('set'), io.read('a')) print((io.stdin:write('x'))) print((io.stdin:close()))`;
    const text = shell('{ dd bs=1 count=4 of=/dev/null 2> /dev/null; RUN; } < three.txt', script);
    expect(text).toBe('4\ttwo\t8\t1\tne\n\t14\tnil\n0\tone\ntwo\nthree\n\nnil\nnil\n');
    expect(shell('cat three.txt | RUN', 'print(io.stdin:seek())')).toBe('nil\tInvalid seek\t29\n');
  });

  it('that is a file is read on by a process after what the script has taken', () => {
    writeFileSync(join(dir, 'long.txt'), 'first\n'.padEnd(200_000, 'x'));
    const script = `print(io.read()) os.execute('cat | wc -c') print(#io.read('a'))`;
    const [line, rest, own] = shell('RUN < long.txt', script).trim().split('\n');
    expect(line).toBe('first');
    expect(Number(rest) + Number(own)).toBe(200_000 - 6);
  });

  it('is read as it comes', async () => {
    writeFileSync(join(dir, 'echo.lua'), `for line in io.lines() do print('got ' .. line) end print('over')`);
    const child = spawn('sh', ['-c', `exec ${COMMAND} echo.lua`], { cwd: dir });
    let text = '';
    child.stdout.on('data', (part: Buffer) => {
      text += part;
      if (text === 'got one\n') child.stdin.write('two\n');
      else if (text === 'got one\ngot two\n') child.stdin.end('three');
    });
    child.stdin.write('one\n');
    await new Promise((resolve) => child.on('close', resolve));
    expect(text).toBe('got one\ngot two\ngot three\nover\n');
  });

  it('that is empty or not there reads as ended', () => {
    expect(shell('RUN < /dev/null', 'print(io.read())')).toBe('nil\n');
    expect(shell('RUN <&-', 'print(io.read())')).toBe('nil\n');
  });

  it('that never comes keeps neither the script beyond its time nor the process', async () => {
    writeFileSync(join(dir, 'read.lua'), `io.write('waiting') io.read()`);
    const child = spawn('sh', ['-c', `exec ${COMMAND} --timeout 0.5 read.lua`], { cwd: dir });
    let text = '';
    child.stdout.on('data', (part) => {
      text += part;
    });
    const status = await new Promise((resolve) => child.on('close', resolve));
    expect([text, status]).toEqual(['waiting', 124]);
  });
});

describe('the clock of a script', () => {
  it('counts work, not waiting', () => {
    const script = `local before = os.clock() os.execute('sleep 0.5') local slept = os.clock() - before
      local start = os.clock() repeat until os.clock() - start > 0.05 print(before < 1, slept < 0.4)`;
    expect(shell('RUN', script)).toBe('true\ttrue\n');
  });
});

const hasScript = spawnSync('script', ['--version']).error === undefined;

describe.skipIf(!hasScript)('a terminal', () => {
  it('shows each line at once, and prompts before it waits', async () => {
    writeFileSync(
      join(dir, 'talk.lua'),
      `print('first') io.write('name? ') print('hello ' .. io.read()) while true do end`,
    );
    const child = spawn('script', ['-qec', `${COMMAND} --timeout 10 talk.lua`, '/dev/null'], { cwd: dir });
    let text = '';
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (part: Buffer) => {
        const before = text;
        text += part;
        if (!before.includes('name? ') && text.includes('name? ')) child.stdin.write('Ada\n');
        if (text.includes('hello Ada')) resolve();
      });
    });
    child.kill();
    expect(text.replaceAll('\r', '')).toMatch(/^first\nname\? (Ada\n)?hello Ada/);
  });
});
