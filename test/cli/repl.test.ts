import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Workspace, workspace } from './cli.js';
import { hasTerminal, PseudoTerminal } from './pseudo-terminal.js';

let cli: Workspace;
beforeEach(async () => {
  cli = await workspace();
});
const lines = (...text: string[]) => ({ stdin: text.map((line) => `${line}\n`).join('') });

describe('lines from a pipe', () => {
  test('an expression prints its values, = before it too, nil and several values as lua does', async () => {
    const { code, stdout, stderr } = await cli.run(
      ['repl'],
      lines('1 + 1', '= "a" .. "b"', 'nil', '1, nil, 2.0', 'x = 5', 'x', '', 'local y = 1', 'y', '#{1, 2}'),
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe('2\nab\nnil\n1\tnil\t2.0\n5\nnil\n2\n');
  });

  test('what is not complete goes on with the next line', async () => {
    const { stdout } = await cli.run(['repl'], lines('for i = 1, 2 do', '  print(i)', 'end', '= 1 +', '2', 'last = 7'));
    expect(stdout).toBe('1\n2\n3\n');
  });

  test('an error prints a traceback as lua does, and the next line runs', async () => {
    const { code, stdout, stderr } = await cli.run(['repl'], lines('error("boom")', 'x = = 1', 'error({})', '1'));
    expect([code, stdout]).toEqual([0, '1\n']);
    expect(stderr).toContain("stdin:1: boom\nstack traceback:\n\t[C]: in function 'error'\n\tstdin:1: in main chunk");
    expect(stderr).toContain("stdin:1: unexpected symbol near '='");
    expect(stderr).toContain('(error object is a table value)');
    expect(stderr).not.toMatch(/\.js|node:/);
  });

  test('what is incomplete at the end is an error', async () => {
    const { code, stderr } = await cli.run(['repl'], { stdin: 'for i = 1, 2 do' });
    expect(code).toBe(0);
    expect(stderr).toMatch(/'end' expected near <eof>/);
  });

  test('io.read takes the next line, and os.exit ends the session', async () => {
    const { code, stdout } = await cli.run(['repl'], lines('x = io.read()', 'hello', 'x', 'os.exit(3)', 'print(1)'));
    expect([code, stdout]).toEqual([3, 'hello\n']);
  });

  test('the results go through the global print, whatever it is', async () => {
    const { stdout, stderr } = await cli.run(['repl'], lines('p = print; print = nil', '1', 'p("on")'));
    expect(stdout).toBe('on\n');
    expect(stderr).toContain("error calling 'print' (attempt to call a nil value)");
  });

  test('state is live and outlives the session', async () => {
    await cli.run(['repl'], lines('State.set("k", { 1, 2 })', 'State.get("k")[2]'));
    const { stdout } = await cli.run(['repl'], lines('State.get("k")[2]'));
    expect(stdout).toBe('2\n');
  });

  test('with --from the lines run on a past state, and nothing of the present one changes', async () => {
    await writeFile(join(cli.cwd, 'llmspell.toml'), '[runtime.state_persistence.backup]');
    await cli.ok('state', 'set', 'global', 'k', '"then"');
    await cli.ok('backup', 'create');
    await cli.ok('state', 'set', 'global', 'k', '"now"');
    const past = await cli.run(
      ['repl', '--from', 'latest'],
      lines('State.get("k")', 'State.set("k", 1)', 'State.get("k")'),
    );
    expect([past.code, past.stdout]).toEqual([0, 'then\n1\n']);
    expect(await cli.ok('state', 'get', 'global', 'k')).toBe('"now"\n');
  });

  test('a script runs first; its globals stay, and its failure is the end', async () => {
    await writeFile(join(cli.cwd, 's.lua'), 'greeting = "hi " .. ...');
    expect((await cli.run(['repl', 's.lua', 'you'], lines('greeting'))).stdout).toBe('hi you\n');
    const failed = await cli.run(['repl', 'gone.lua'], lines('print(1)'));
    expect([failed.code, failed.stdout]).toEqual([1, '']);
  });

  test('options apply: a time limit is that of each line, and the session goes on', async () => {
    const slow = await cli.run(['repl', '--timeout', '0.3'], lines('x = 1', 'while true do end', 'x'));
    expect([slow.code, slow.stdout]).toEqual([0, '1\n']);
    expect(slow.stderr).toContain('interrupted: it ran longer than 0.3 seconds');
    const readonly = await cli.run(['repl', '--readonly'], lines('State.set("a", 1)'));
    expect(readonly.stderr).toContain('read-only');
    const denied = await cli.run(['repl', '--deny', 'file'], lines('io.open("x")'));
    expect(denied.stdout).toContain('nil');
    const small = await cli.run(['repl', '--memory-limit', '20M'], lines('#("x"):rep(1e8)', '1'));
    expect(small.stderr).toContain('memory');
    expect(small.stdout).toBe('1\n');
  });

  test('a safe library has no io, and lines are read all the same', async () => {
    await writeFile(join(cli.cwd, 'llmspell.toml'), '[engines.lua]\nstdlib_level = "safe"');
    expect((await cli.run(['repl'], lines('io, debug', '1'))).stdout).toBe('nil\tnil\n1\n');
  });

  test('as JSON, one document holds what was printed', async () => {
    const { stdout } = await cli.run(['repl', '--json'], lines('1', 'error("x", 0)'));
    expect(JSON.parse(stdout)).toMatchObject({ exit_code: 0, stdout: '1\n', stderr: expect.stringMatching(/^x\n/) });
  });
});

describe.skipIf(!hasTerminal)('on a terminal', () => {
  let terminal: PseudoTerminal;
  const open = (args = '', env: Record<string, string> = {}) => {
    terminal = new PseudoTerminal(cli, `repl ${args}`, { XDG_STATE_HOME: join(cli.cwd, 'state'), ...env });
  };
  afterEach(() => terminal.close());
  /** Where the cursor is put behind a prompt. */
  const [FIRST, SECOND] = ['\u001b[3G', '\u001b[4G'];
  /** Types a line at a prompt and returns what was shown from there to the next one. */
  const enter = async (line: string) => {
    terminal.type(`${line}\r`);
    return (await terminal.until(FIRST)).replaceAll('\r', '').replace(/^.*\n/, '');
  };

  test('prompts, continuation lines, results; Ctrl-D leaves', async () => {
    open();
    expect(await terminal.until(FIRST)).toContain('> ');
    terminal.type('for i = 1, 2 do\r');
    expect(await terminal.until(SECOND)).toContain('>> ');
    terminal.type('print(i) end\r');
    expect(await terminal.until(FIRST)).toContain('1\r\n2\r\n');
    expect(await enter('1 + 1')).toContain('2\n');
    expect(await enter('io.write("unfinished")')).toContain('unfinished');
    terminal.type('_PROMPT = "lua> "\r');
    await terminal.until('\u001b[6G');
    terminal.type('\u0004');
    expect(await terminal.ended).toBe(0);
  });

  test('Ctrl-C ends whatever line runs, and the session keeps its globals', async () => {
    open('--allow process');
    await terminal.until(FIRST);
    await enter('x = 1; function spin() while true do x = x + 1 end end');
    const running = [
      'io.write("runs\\n") spin()',
      'io.write("runs\\n") while true do pcall(spin) end',
      'co = coroutine.wrap(function() io.write("runs\\n") spin() end) co()',
      'io.write("runs\\n"); ("a"):rep(40):find(("a?"):rep(40) .. ("a"):rep(40))',
      'io.write("runs\\n") os.execute("sleep 100")',
      'io.write("runs\\n") io.read()',
      'io.write("runs\\n") xpcall(spin, function() while true do end end)',
    ];
    for (const line of running) {
      terminal.type(`${line}\r`);
      await terminal.until('runs\r\n');
      terminal.type('\u0003');
      expect(await terminal.until(FIRST), line).toContain('interrupted!');
    }
    expect(await enter('x > 1, debug.gethook()')).toContain('true');
    expect(await enter('coroutine.wrap(function() return 7 end)()')).toContain('7');
    terminal.type('io.write("runs\\n") spin()\r');
    await terminal.until('runs\r\n');
    for (let i = 0; i < 20; i++) terminal.type('\u0003');
    await terminal.until('interrupted!');
    await terminal.until(FIRST);
    // How many of them came only after the line was over, each with a prompt of its own, is a matter of chance.
    terminal.type('"still " .. "here"\r');
    await terminal.until('still here');
  });

  test('Ctrl-C ends the script that comes first, and then there is no session', async () => {
    await writeFile(join(cli.cwd, 's.lua'), 'io.write("runs\\n") while true do end');
    open('s.lua');
    await terminal.until('runs\r\n');
    terminal.type('\u0003');
    await terminal.until('llmspell: interrupted!');
    expect(await terminal.ended).toBe(1);
  });

  test('Ctrl-C ends a backup that is under way', async () => {
    await writeFile(join(cli.cwd, 'llmspell.toml'), '[runtime.state_persistence.backup]');
    open();
    await terminal.until(FIRST);
    await enter('for i = 1, 30000 do State.set("s", "k" .. i, ("x"):rep(200) .. math.random()) end State.flush()');
    await enter('State.on_progress(function() io.write("runs\\n") State.on_progress(nil) end)');
    terminal.type('State.create_backup()\r');
    await terminal.until('runs\r\n');
    terminal.type('\u0003');
    // Or it comes too late.
    expect(await terminal.until(FIRST)).toMatch(/interrupted!|table: /);
    expect(await enter('"goes on"')).toContain('goes on');
  });

  test('Ctrl-C at a prompt throws away what was typed, also lines before', async () => {
    open();
    await terminal.until(FIRST);
    terminal.type('if true then\r');
    await terminal.until(SECOND);
    terminal.type('half a li\u0003');
    await terminal.until(FIRST);
    expect(await enter('"fresh"')).toContain('fresh\n');
  });

  test('Tab completes globals, fields, functions after a colon, and keywords; it indents where no name ends', async () => {
    open();
    await terminal.until(FIRST);
    await enter('s = "x"; t = setmetatable({ own = 1 }, { __index = { inherited = 2 } })');
    for (const [typed, completed] of [
      ['Sta\t.inc\t', 'State.increment'],
      ['s:gs\t', 's:gsub'],
      ['t.inh\t', 't.inherited'],
      ['prin\t(1)', 'print(1)'],
      ['repe\t', 'repeat'],
      ['x = 1;\ty', 'x = 1;  y'],
    ]) {
      terminal.type(typed!);
      await terminal.until(completed!);
      terminal.type('\u0003');
      await terminal.until(FIRST);
    }
    terminal.type('string.f\t\t');
    await terminal.until('find');
    await terminal.until('format');
  });

  test('what is pasted runs line by line, and io.read gets its part of it', async () => {
    open();
    await terminal.until(FIRST);
    terminal.type('function f(a)\r\n\treturn a * 2\r\nend\r\nf(21)\r\nx = io.read()\r\nfor the script\r\nx\r\n');
    await terminal.until('42\r\n');
    await terminal.until('\nfor the script\r\n');
    expect(terminal.screen.match(/for the script/g)).toHaveLength(1);
  });

  test('lines are kept for the next session, for nobody else to read; not with a blank before them, nor with --no-history', async () => {
    open();
    await terminal.until(FIRST);
    await enter('kept = "from before"');
    await enter(' secret = 1');
    terminal.type('\u0004');
    await terminal.ended;
    const file = join(cli.cwd, 'state/llmspell/repl_history');
    expect(await readFile(file, 'utf8')).toBe('kept = "from before"\n');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    open('--no-history');
    await terminal.until(FIRST);
    await enter('1');
    terminal.type('\u001b[A\u001b[A');
    terminal.type('\u0004\u0003\u0004');
    await terminal.ended;
    expect(await readFile(file, 'utf8')).toBe('kept = "from before"\n');
    open();
    await terminal.until(FIRST);
    terminal.type('\u001b[A\r');
    await terminal.until(FIRST);
    expect(await enter('kept')).toContain('from before');
  });

  test('a JSON document of a terminal session is refused', async () => {
    open('--json');
    await terminal.until('prints no JSON document');
    expect(await terminal.ended).toBe(2);
  });
});
