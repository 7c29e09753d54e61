import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Workspace, workspace } from './cli.js';

let cli: Workspace;
beforeEach(async () => {
  cli = await workspace();
});
const script = (source: string, name = 's.lua') => writeFile(join(cli.cwd, name), source);

describe('what belongs to the script', () => {
  test('everything after the file, also what looks like an option of ours', async () => {
    await script('print(arg[0], #arg, ...)');
    const args = ['-x', '--', '--json', '-h', 'a b'];
    const plain = await cli.run(['run', 's.lua', ...args]);
    expect(plain).toEqual({ code: 0, stdout: 's.lua\t5\t-x\t--\t--json\t-h\ta b\n', stderr: '' });
    expect(await cli.run(['--quiet', 'run', '--timeout', '30', 's.lua', ...args])).toEqual(plain);
  });

  test('what stands before the script is below arg[0], as lua has it', async () => {
    await script('local i = 0 while arg[i - 1] do i = i - 1 end print(table.concat(arg, " ", i))');
    const { stdout } = await cli.run(['--quiet', 'run', '--timeout', '30', 's.lua', 'a', '--timeout']);
    expect(stdout).toBe('llmspell --quiet run --timeout 30 s.lua a --timeout\n');
    const plain = await cli.run(['run', 's.lua', 's.lua', 'run']);
    expect(plain.stdout).toBe('llmspell run s.lua s.lua run\n');
    const { stdout: none } = await cli.run(['exec', 'print(arg[-1])']);
    expect(none).toBe('nil\n');
  });

  test('everything after the code of exec', async () => {
    const { code, stdout } = await cli.run(['exec', 'print(...)', '-q', '--', 'x']);
    expect([code, stdout]).toEqual([0, '-q\t--\tx\n']);
  });

  test('a script on standard input', async () => {
    const { stdout } = await cli.run(['run', '-', 'a'], { stdin: 'print(arg[0], ...)' });
    expect(stdout).toBe('-\ta\n');
  });
});

describe('how a script ends is how the command ends', () => {
  test('os.exit(n) exits n, with all that was printed', async () => {
    const { code, stdout } = await cli.run(['exec', 'io.write("no newline") os.exit(42)']);
    expect([code, stdout]).toEqual([42, 'no newline']);
  });

  test('an uncaught error prints the message and a Lua traceback, as lua does, and exits 1', async () => {
    await script('local function f()\n  error("boom")\nend\nf()');
    const { code, stdout, stderr } = await cli.run(['run', 's.lua']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^llmspell: s\.lua:2: boom\nstack traceback:\n/);
    expect(stderr).toContain('s.lua:4: in main chunk');
    expect(stderr).not.toMatch(/\.js|node:|Check|caught/);
  });

  test('a syntax error names file and line', async () => {
    await script('x = 1\ny = = 2');
    const { code, stderr } = await cli.run(['run', 's.lua']);
    expect([code, stderr]).toEqual([1, "llmspell: s.lua:2: unexpected symbol near '='\n"]);
  });

  test('a script that is not there', async () => {
    const { code, stderr } = await cli.run(['run', 'gone.lua']);
    expect([code, stderr]).toEqual([
      1,
      'llmspell: Cannot open gone.lua: there is no such file.\nCheck the path of the script.\n',
    ]);
    const { stderr: ofDirectory } = await cli.run(['run', '.']);
    expect(ofDirectory).toMatch(/^llmspell: Cannot open \.: it is a directory\./);
  });

  test('a time limit exits 124', async () => {
    const { code, stderr } = await cli.run(['exec', '--timeout', '0.2', 'while true do end']);
    expect(code).toBe(124);
    expect(stderr).toContain('longer than 0.2 seconds');
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it at once with 130, with what it had printed', async (signal) => {
    await script('print("ready") io.stdout:flush() while true do end');
    const child = cli.start(['run', 's.lua']);
    let stdout = '';
    child.stdout.on('data', (text) => {
      stdout += text;
      child.kill(signal);
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect([code, stdout]).toEqual([130, 'ready\n']);
  });
});

describe('options', () => {
  test.each([
    [['--timeout', 'soon'], "'soon' is invalid. It is not a number of seconds."],
    [['--memory-limit', '1X'], "'1X' is invalid. It is not a size such as 64M."],
    [['--max-instructions', '-1'], "'-1' is invalid. It is not a whole number."],
    [['--deny', 'files'], "'files' is invalid. Allowed choices are file, process."],
    [['--readnoly'], "did you mean '--readonly'?"],
  ])('%j is refused', async (options, sentence) => {
    const { code, stderr } = await cli.run(['run', ...options, 's.lua']);
    expect(code).toBe(2);
    expect(stderr).toContain(sentence);
  });

  test('without a file there is nothing to run', async () => {
    const { code, stderr } = await cli.run(['run']);
    expect(code).toBe(2);
    expect(stderr).toContain("Missing required argument 'file'.");
  });
});

describe('as JSON', () => {
  test('one document holds what was printed and how it ended', async () => {
    const { code, stdout, stderr } = await cli.run(['exec', '--json', 'print("é") io.stderr:write("w") os.exit(3)']);
    expect(JSON.parse(stdout)).toEqual({
      exit_code: 3,
      duration_ms: expect.any(Number),
      stdout: 'é\n',
      stderr: 'w',
    });
    expect([code, stderr]).toEqual([3, '']);
  });

  test('and the error with its traceback', async () => {
    const { code, stdout } = await cli.run(['exec', '--json', 'print(1) error("boom")']);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'SCRIPT_ERROR', message: '(command line):1: boom' },
      exit_code: 1,
      stdout: '1\n',
      traceback: expect.stringContaining('in main chunk'),
    });
    expect(code).toBe(1);
  });
});
