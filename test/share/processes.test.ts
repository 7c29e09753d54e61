import { once } from 'node:events';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Workspace, workspace } from '../cli/cli.js';

let cli: Workspace;
let scripts = 0;

beforeEach(async () => {
  cli = await workspace();
});

const CONFIG = `[runtime.state_persistence]
durability = "interval"
[runtime.state_persistence.backup]
`;
const configure = (text: string) => writeFile(join(cli.cwd, 'llmspell.toml'), text);
const socket = () => join(cli.cwd, '.llmspell/state/share/socket');

/** A script that runs in a process of its own and answers each line it is sent with one. */
async function start(code: string, cwd = cli.cwd) {
  const name = `script-${++scripts}.lua`;
  await writeFile(join(cwd, name), code);
  const child = cli.start(['run', join(cwd, name)], { cwd });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = once(child, 'close');
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  child.stdin.on('error', () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`The script has ended: ${stderr}`);
    return value as string;
  };
  return {
    pid: child.pid!,
    next,
    ask: async (line: string | number) => {
      child.stdin.write(`${line}\n`);
      return await next();
    },
    end: async () => {
      child.stdin.end();
      const [code_] = await ended;
      return { code: code_ as number | null, stderr };
    },
    kill: async (signal: NodeJS.Signals) => {
      child.kill(signal);
      const [code_] = await ended;
      return { code: code_ as number | null, stderr };
    },
  };
}

/** Holds the state until its stdin ends, running each line it is sent and printing what that returns. */
const WORKER = `
State.has("global", "ready")
print("ready")
for line in io.lines() do print(tostring((load(line)()))) end
`;

async function startWorker(cwd?: string) {
  const worker = await start(WORKER, cwd);
  expect(await worker.next()).toBe('ready');
  return worker;
}

/** One that others can reach already. */
async function startHolder() {
  const holder = await startWorker();
  await vi.waitFor(() => stat(socket()), { timeout: 10_000 });
  return holder;
}

describe('while one process runs on a state, others', () => {
  test('look at it and change it, with the same output as alone', async () => {
    await configure(CONFIG);
    const holder = await startHolder();
    await holder.ask('State.set("s", "a", {1, 2.0, "x"}) State.set("s", "b", true) State.flush()');
    expect((await stat(socket())).mode & 0o777).toBe(0o600);
    expect((await stat(join(socket(), '..'))).mode & 0o777).toBe(0o700);
    const looks = [
      ['get', 's', 'a'],
      ['get', 's', 'none'],
      ['list', 's'],
      ['scopes'],
      ['show'],
      ['history', 's', 'a'],
      ['stats'],
    ];
    const look = () => Promise.all(looks.map(async (args) => await cli.run(['state', ...args, '--json'])));
    const served = await look();
    expect(await cli.run(['state', 'set', 's', 'c', '[1]'])).toMatchObject({ code: 0, stderr: '' });
    expect(await holder.ask('return State.get("s", "c")[1]')).toBe('1');
    expect(await cli.run(['state', 'delete', 's', 'c'])).toMatchObject({ code: 0, stderr: '' });
    expect(await holder.ask('return State.get("s", "c")')).toBe('nil');
    expect(await cli.run(['exec', '--readonly', 'State.set("s", "c", 1)'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('read-only'),
    });
    expect(await holder.end()).toEqual({ code: 0, stderr: '' });
    const alone = await look();
    // The two changes in between are counted.
    const withoutSeq = (text: string) => text.replace(/"seq": ?\d+,?\s*"entries"/, '');
    expect(alone.map(({ code }) => code)).toEqual(served.map(({ code }) => code));
    expect(alone.map(({ stdout }) => withoutSeq(stdout))).toEqual(served.map(({ stdout }) => withoutSeq(stdout)));
  });

  test('migrate it: the running script goes on with the migrated state', async () => {
    await configure(CONFIG.replace('\n', '\nmigration_enabled = true\n'));
    await mkdir(join(cli.cwd, 'schemas'));
    await writeFile(join(cli.cwd, 'schemas/1.0.0.toml'), '');
    await writeFile(join(cli.cwd, 'schemas/2.0.0.toml'), '[[steps]]\nrename = { from = "text", to = "body" }');
    const holder = await startHolder();
    await holder.ask('for i = 1, 2000 do State.set("s", "k" .. i, { text = i }) end');
    const migrating = cli.run(['migrate', 'run', '--yes', '--json']);
    await holder.ask('State.set("s", "late", { text = "late" })');
    expect(await migrating).toMatchObject({ code: 0 });
    expect(JSON.parse((await migrating).stdout)).toMatchObject({ status: 'completed', to_version: '2.0.0' });
    expect(await holder.ask('return State.get("s", "k7").body + #State.get("s", "late").body')).toBe('11');
    expect((await holder.end()).code).toBe(0);
  });

  test('back it up, and restore it: the running script sees the restored state at its next read', async () => {
    await configure(CONFIG);
    const holder = await startWorker();
    await holder.ask('for i = 1, 500 do State.set("s", "k" .. i, ("x"):rep(200)) end');
    const made = await cli.run(['backup', 'create', '--json']);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(made.stdout)).toMatchObject({ entry_count: 500 });
    await holder.ask('for i = 1, 500 do State.set("s", "k" .. i, i) end');
    expect(await holder.ask('return State.get("s", "k7")')).toBe('7');
    expect(await cli.run(['backup', 'restore', 'latest', '--yes', '--json'])).toMatchObject({ code: 0, stderr: '' });
    expect(await holder.ask('return #State.get("s", "k7")')).toBe('200');
    await holder.ask('State.set("s", "more", 1)');
    const partly = await cli.run(['backup', 'restore', 'latest', '--scope', 's', '--preserve-untracked', '--yes']);
    expect(partly).toMatchObject({ code: 0, stderr: '' });
    expect(await holder.ask('return State.get("s", "more")')).toBe('1');
    const incremental = await cli.run(['backup', 'create', '-i', '--json']);
    expect(JSON.parse(incremental.stdout)).toMatchObject({ is_incremental: true, entry_count: 1 });
    expect((await holder.end()).code).toBe(0);
  });

  test('count together, each change once', async () => {
    const code = 'for i = 1, 400 do State.increment("global", "n") end print(State.has("global", "n"))';
    const ended = await Promise.all([1, 2, 3].map(() => cli.run(['exec', code])));
    expect(ended).toEqual(Array(3).fill({ code: 0, stdout: 'true\n', stderr: '' }));
    expect(await cli.ok('state', 'get', 'global', 'n')).toBe('1200\n');
  });

  test('read what was set before a line was printed, whichever process set it', async () => {
    const [one, other] = [await startWorker(), await startWorker()];
    for (let i = 1; i <= 60; i++) {
      const [writer, reader] = i % 2 === 0 ? [one, other] : [other, one];
      expect(await writer.ask(`State.set("x", ${i}) return State.get("x")`)).toBe(`${i}`);
      expect(await reader.ask('return State.get("x")')).toBe(`${i}`);
    }
    expect([(await one.end()).code, (await other.end()).code]).toEqual([0, 0]);
  });

  test('reach it also where its path is too long for a socket', async () => {
    const cwd = join(cli.cwd, 'd'.repeat(100), 'e'.repeat(100));
    await mkdir(cwd, { recursive: true });
    const holder = await startWorker(cwd);
    const other = await startWorker(cwd);
    await holder.ask('State.set("x", 1)');
    expect(await other.ask('return State.get("x")')).toBe('1');
    expect((await stat(join(cwd, '.llmspell/state/share/socket'))).isSocket()).toBe(true);
    expect([(await holder.end()).code, (await other.end()).code]).toEqual([0, 0]);
  });
});

describe('when the holder', () => {
  test('is killed, nothing that was set is lost, and the script that set it goes on', async () => {
    await configure(CONFIG.replace('interval', 'always'));
    const holder = await startWorker();
    const guest = await start('for i = 1, 400 do State.set("n", i) print(i) end print(State.get("n"))');
    while (Number(await guest.next()) < 100);
    await holder.kill('SIGKILL');
    let last = '';
    for (let i = 101; i <= 401; i++) last = await guest.next();
    expect(last).toBe('400');
    expect(await guest.end()).toEqual({ code: 0, stderr: '' });
    const { history } = JSON.parse(await cli.ok('state', 'history', 'global', 'n', '--json')) as {
      history: { value: number }[];
    };
    expect(history.map(({ value }) => value)).toEqual(Array.from({ length: 400 }, (_, i) => 400 - i));
  });

  test('is killed again and again, changes of the others take effect once each', async () => {
    const count = (times: number) => `for i = 1, ${times} do State.increment("global", "n") end return "done"`;
    let holder = await startWorker();
    const guests = [await startWorker(), await startWorker()];
    for (let round = 1; round <= 2; round++) {
      const next = await startWorker();
      const counting = guests.map((guest) => guest.ask(count(300)));
      while (Number(await next.ask('return State.get("global", "n") or 0')) < round * 600 - 450);
      await holder.kill('SIGKILL');
      expect(await Promise.all(counting)).toEqual(['done', 'done']);
      expect(await next.ask('return State.get("global", "n")')).toBe(`${round * 600}`);
      // The next round kills whoever has it now, where that is not one of those who count.
      holder = next;
    }
    const pids = guests.map(({ pid }) => pid);
    expect(pids).toContain(await holderPid());
    for (const guest of guests) expect(await guest.end()).toEqual({ code: 0, stderr: '' });
  });

  test('ends, in order or by Ctrl-C, one of the others takes over and serves the rest', async () => {
    for (const how of ['end', 'SIGINT'] as const) {
      const holder = await startWorker();
      const others = [await startWorker(), await startWorker()] as const;
      expect(await holderPid()).toBe(holder.pid);
      if (how === 'end') expect((await holder.end()).code).toBe(0);
      else expect((await holder.kill(how)).code).toBe(130);
      await others[0].ask('State.set("x", "from one")');
      expect(await others[1].ask('return State.get("x")')).toBe('from one');
      await others[1].ask('State.set("x", "from the other")');
      expect(await others[0].ask('return State.get("x")')).toBe('from the other');
      expect(others.map(({ pid }) => pid)).toContain(await holderPid());
      for (const other of others) expect(await other.end()).toEqual({ code: 0, stderr: '' });
    }
  });

  test('was killed, its socket does not hold up the next process', async () => {
    const holder = await startHolder();
    await holder.kill('SIGKILL');
    expect((await stat(socket())).isSocket()).toBe(true);
    expect(await cli.run(['state', 'set', 'global', 'x', '1', '--lock-timeout', '0'])).toMatchObject({ code: 0 });
  });

  test('cannot serve, others wait for as long as they are told, and name it', async () => {
    await mkdir(join(cli.cwd, '.llmspell/state'), { recursive: true });
    await writeFile(join(cli.cwd, '.llmspell/state/share'), '');
    const holder = await startWorker();
    const { code, stderr } = await cli.run(['state', 'list', '--lock-timeout', '0.1']);
    expect(code).toBe(3);
    expect(stderr).toContain(`process ${holder.pid}`);
    const waiting = cli.run(['state', 'set', 'global', 'x', '1', '--lock-timeout', '20']);
    expect((await holder.kill('SIGINT')).code).toBe(130);
    expect(await waiting).toMatchObject({ code: 0, stderr: '' });
  });
});

test('Ctrl-C of a guest leaves the holder as it was', async () => {
  const holder = await startWorker();
  const guest = await start(
    'State.increment("global", "x") print("go") while true do State.set("x", State.get("x") + 1) end',
  );
  await guest.next();
  expect((await guest.kill('SIGINT')).code).toBe(130);
  expect(Number(await holder.ask('return State.get("x")'))).toBeGreaterThan(0);
  expect(await holder.end()).toEqual({ code: 0, stderr: '' });
});

async function holderPid(): Promise<number> {
  const holder = await readFile(join(cli.cwd, '.llmspell/state/holder.json'), 'utf8');
  return (JSON.parse(holder) as { pid: number }).pid;
}
