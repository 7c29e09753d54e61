import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SandboxSettings } from '../../src/channel/start.js';
import type { ScriptHost, ScriptRun } from '../../src/host/script-host.js';
import { MACHINE, type Outcome, runScript, scriptHost } from '../host/script-runs.js';

let host: ScriptHost;
let dir: string;
beforeAll(() => {
  host = scriptHost({ warm: true });
  dir = mkdtempSync(join(tmpdir(), 'llmspell-stdlib-'));
});
afterAll(async () => {
  await host.close();
  rmSync(dir, { recursive: true });
});

const sandboxed = (sandbox: Partial<SandboxSettings>) => ({ ...MACHINE, sandbox: { ...MACHINE.sandbox, ...sandbox } });

function lua(source: string, sandbox: Partial<SandboxSettings> = {}, run: ScriptRun = {}): Promise<Outcome> {
  const machine = Object.keys(sandbox).length === 0 ? {} : { machine: sandboxed(sandbox) };
  return runScript(host, { source, ...machine, ...run });
}

const spawning = { processSpawn: true, environment: { GREETING: 'hello' } };

describe('loading code', () => {
  it('takes text only, whatever the mode says', async () => {
    const { text } = await lua(`
      local code = string.dump(function() print('ran') end)
      print(load(code)) print(load(code, 'x', 'b')) print(load(code, 'x', 'bt')) print(load(function() local c = code code = nil return c end))
      print(load('return 1', 'x', 'b')) print(load('return 1, ...', 'x', 'bt', {})(2)) print(load('return x', 'x', nil, { x = 3 })())
      print(load('syntax error')) print(pcall(load)) print(load('return 1', 'x', 't')())`);
    expect(text).toBe(
      `${`nil\tattempt to load a binary chunk (mode is 't')\n`.replace("'t'", "'t'")}` +
        `nil\tattempt to load a binary chunk (mode is '')\n` +
        `nil\tattempt to load a binary chunk (mode is 't')\nnil\tattempt to load a binary chunk (mode is 't')\n` +
        `nil\tattempt to load a text chunk (mode is '')\n1\t2\n3\n` +
        `nil\t[string "syntax error"]:1: syntax error near 'error'\n` +
        `false\tbad argument #1 to 'load' (function expected, got no value)\n1\n`,
    );
  });

  it('finds modules beside the script first, then where LUA_PATH says', async () => {
    const path = join(dir, 'main.lua');
    writeFileSync(path, `print(require('beside'), (require('elsewhere')))`);
    writeFileSync(join(dir, 'beside.lua'), `return 'beside'`);
    writeFileSync(join(dir, 'elsewhere.module'), `return 'elsewhere'`);
    const { text } = await runScript(host, {
      path,
      machine: sandboxed({ environment: { LUA_PATH: join(dir, '?.module') } }),
    });
    expect(text).toBe(`beside\telsewhere\n`);
  });

  it('lets dofile run a chunk that yields, and passes its errors on as they are', async () => {
    writeFileSync(join(dir, 'yields.lua'), `return coroutine.yield('out')`);
    writeFileSync(join(dir, 'raises.lua'), `error({ code = 7 })`);
    const { text } = await lua(`
      local co = coroutine.create(dofile)
      print(coroutine.resume(co, '${dir}/yields.lua')) print(coroutine.resume(co, 'in'))
      print(select(2, pcall(dofile, '${dir}/raises.lua')).code, pcall(dofile, '${dir}/none.lua'))`);
    expect(text).toBe(
      `true\tout\ntrue\tin\n7\tfalse\tcannot open ${dir}/none.lua\n`.replace(
        'none.lua\n',
        'none.lua: No such file or directory\n',
      ),
    );
  });
});

describe('the beginning and the end of a script', () => {
  it('runs LUA_INIT before it, as code or from a file', async () => {
    const init = join(dir, 'init.lua');
    writeFileSync(init, `FROM = 'a file'`);
    const say = 'print(FROM)';
    expect((await lua(say, { environment: { LUA_INIT: `FROM = 'code'` } })).text).toBe('code\n');
    expect((await lua(say, { environment: { LUA_INIT: `@${init}` } })).text).toBe('a file\n');
    expect((await lua(say, { environment: { LUA_INIT: 'x', LUA_INIT_5_4: `FROM = '5.4'` } })).text).toBe('5.4\n');
    const { error } = await lua(say, { environment: { LUA_INIT: 'error("in init")' } });
    expect(error?.message).toBe('LUA_INIT:1: in init');
  });

  it('runs the finalizers that are left when it ends, also by an error, but not when it exits', async () => {
    const left = `setmetatable({}, { __gc = function() print('finalized') end })`;
    expect((await lua(`LEFT = ${left}`)).text).toBe('finalized\n');
    expect((await lua(`LEFT = ${left} error('over')`)).text).toBe('finalized\n');
    expect((await lua(`LEFT = ${left} os.exit()`)).text).toBe('');
    expect((await lua(`LEFT = ${left} os.exit(true, true)`)).text).toBe('finalized\n');
  });

  it('leaves no file open, however it ends', async () => {
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    const files = `FILES = {} for i = 1, 200 do FILES[i] = io.open('/etc/passwd') end `;
    for (const end of ['', 'error("over")', 'os.exit(3)', 'while true do end'])
      await lua(files + end, {}, { timeoutSeconds: 1 });
    expect(open()).toBeLessThan(before + 100);
  });

  it('waits for a process that it still reads from', async () => {
    const mark = join(dir, 'waited');
    await lua(`PIPE = io.popen("sleep 0.2; touch '${mark}'")`, spawning);
    expect(existsSync(mark)).toBe(true);
  });
});

describe('os', () => {
  it('claims no locale but C', async () => {
    const { text } =
      await lua(`print(os.setlocale(), os.setlocale(''), os.setlocale('C', 'numeric'), os.setlocale('pt_BR'))
      print(pcall(os.setlocale, 'C', 'colour'))`);
    expect(text).toBe("C\tC\tC\tnil\nfalse\tbad argument #2 to 'os.setlocale' (invalid option 'colour')\n");
  });

  it('creates the file of a temporary name', async () => {
    const { text } = await lua(
      `local a, b = os.tmpname(), os.tmpname() print(a ~= b) for _, n in ipairs { a, b } do io.open(n):close() os.remove(n) end`,
    );
    expect(text).toBe('true\n');
    const { error } = await lua('os.tmpname()', { fileAccess: false });
    expect(error?.message).toContain('unable to generate a unique filename');
  });
});

describe('stdin', () => {
  it('is streamed: each line can be answered before the next one comes', async () => {
    const answers: string[] = [];
    const stdin = new Readable({ read() {} });
    const output = (_: number, bytes: Uint8Array) => {
      answers.push(Buffer.from(bytes).toString());
      if (answers.length === 1) stdin.push('Ada\n');
      else stdin.push(null);
    };
    await host.run({
      source: `io.write('name? ') local name = io.read() io.write('hello ', name) print(io.read())`,
      stdin,
      output,
    });
    expect(answers.join('')).toBe('name? hello Adanil\n');
  });

  it('that never comes does not keep a script beyond its time', async () => {
    const { error, text } = await lua(
      `io.write('waiting') io.read()`,
      {},
      { stdin: new Readable({ read() {} }), timeoutSeconds: 0.5 },
    );
    expect([error?.code, text]).toEqual(['SCRIPT_TIMEOUT', 'waiting']);
  });
});

describe('processes', () => {
  it('run through the shell, and tell how they ended', async () => {
    const { text } = await lua(
      `print(os.execute()) print(os.execute('exit 0')) print(os.execute('exit 3')) print(os.execute('kill -9 $$'))
       print('before') os.execute('echo $GREETING; echo error >&2') print('after')`,
      spawning,
    );
    expect(text).toContain('true\ntrue\texit\t0\nnil\texit\t3\nnil\tsignal\t9\nbefore\n');
    expect(text).toMatch(/before\n(hello\nerror|error\nhello)\nafter\n$/);
  });

  it('are read and written through io.popen', async () => {
    const { text } = await lua(
      `local p = io.popen('echo out; exit 5') print(p:read('a')) print(p:close())
       for line in io.popen('seq 3'):lines() do io.write(line, ' ') end
       local w = io.popen('cat; exit 4', 'w') print(w:write('through cat\\n') == w) print(w:close())
       print(#io.popen('head -c 300000 /dev/zero'):read('a'))
       print(pcall(io.popen, 'x', 'rw')) print(io.popen('cat', 'w'):read()) print(io.type(p))`,
      spawning,
    );
    expect(text).toBe(
      'out\n\nnil\texit\t5\n1 2 3 true\nthrough cat\nnil\texit\t4\n300000\n' +
        `false\tbad argument #2 to 'io.popen' (invalid mode)\nnil\tBad file descriptor\t9\nclosed file\n`,
    );
  });

  it('get 50,000 lines through a pipe to them', async () => {
    const { text } = await lua(
      `local p = io.popen('wc -l', 'w') for i = 1, 50000 do p:write('line ', i, '\\n') end p:close()`,
      spawning,
    );
    expect(text.trim()).toBe('50000');
  });

  it('that nobody reads from any more are told as a failed write', async () => {
    const { text, error } = await lua(
      `local p = io.popen('exit 0', 'w') os.execute('sleep 0.2') print(select(2, p:write(('x'):rep(200000)))) p:close() print('on')`,
      spawning,
    );
    expect(error).toBeUndefined();
    expect(text).toBe('Broken pipe\t32\non\n');
  });

  it('end with the script when its time is up, with all that they have started', async () => {
    const mark = join(dir, 'survived');
    const { error } = await lua(`os.execute("(sleep 1.2; touch '${mark}') & sleep 5")`, spawning, {
      timeoutSeconds: 0.6,
    });
    expect(error?.code).toBe('SCRIPT_TIMEOUT');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(existsSync(mark)).toBe(false);
  });

  it('go on when the script ends as it should', async () => {
    const mark = join(dir, 'finished');
    await lua(
      `PIPE = io.popen("cat > '${mark}.part' && mv '${mark}.part' '${mark}'", 'w') PIPE:write('all of it') os.exit(0)`,
      spawning,
    );
    await expect.poll(() => existsSync(mark) && readFileSync(mark, 'utf8')).toBe('all of it');
  });

  it('are refused unless allowed, naming the setting', async () => {
    const { text } = await lua(`print(os.execute()) print(os.execute('true')) print(io.popen('true'))`);
    const refusal = 'nil\tprocesses are not allowed (runtime.security.allow_process_spawn)\t1\n';
    expect(text).toBe(`false\n${refusal}${refusal}`);
  });
});

describe('the safe level', () => {
  it('leaves out what reaches the system, and keeps the rest', async () => {
    const { text } = await lua(
      `local gone = {}
       for _, name in ipairs { 'io', 'debug', 'os.execute', 'os.exit', 'os.remove', 'os.rename', 'os.tmpname', 'os.getenv', 'package.loadlib' } do
         local library, field = name:match('(%w+)%.?(%w*)')
         if (field == '' and _G[library] == nil and package.loaded[library] == nil) or (_G[library] or {})[field] == nil then gone[#gone + 1] = name end
       end
       print(#gone) print(os.time and os.date and os.clock and print and require and load and 'kept') print(pcall(require, 'io'))`,
      { stdlib: 'safe' },
    );
    expect(text).toMatch(/^9\nkept\nfalse\t/);
  });
});
