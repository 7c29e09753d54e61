import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Host, LlmspellError, openHost } from '../src/index.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'llmspell-embedding-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const withBackups = { runtime: { state_persistence: { path: 'state', backup: { backup_dir: 'backups' } } } };
const inMemory = { runtime: { state_persistence: { backend_type: 'memory' } } };

/** Runs a script and collects what it prints. */
async function run(host: Host, source: string, args: string[] = []) {
  let text = '';
  const output = (_stream: 1 | 2, bytes: Uint8Array) => {
    text += Buffer.from(bytes).toString();
  };
  return { ...(await host.run({ source, args, output })), text };
}

describe('scripts', () => {
  test('run from a string with arguments, their output in the hands of the caller', async () => {
    await using host = await openHost({ settings: inMemory, directory });
    const { exitCode, text } = await run(host, 'print("hello " .. arg[1], select("#", ...))', ['Ada', 'Grace']);
    expect({ exitCode, text }).toEqual({ exitCode: 0, text: 'hello Ada\t2\n' });
  });

  test('run from a file', async () => {
    const path = join(directory, 'script.lua');
    await writeFile(path, 'State.set("from", arg[0]) os.exit(7)');
    await using host = await openHost({ settings: inMemory, directory });
    expect((await host.run({ path })).exitCode).toBe(7);
    expect(await host.state.get('global', 'from')).toBe(path);
  });

  test('an error comes back as data: code, Lua message with line, traceback', async () => {
    await using host = await openHost({ settings: inMemory, directory });
    const { error, exitCode } = await run(host, 'local function f()\n  error("no")\nend\nf()');
    expect(exitCode).toBe(1);
    expect(error).toMatchObject({ code: 'SCRIPT_ERROR', message: expect.stringContaining(':2: no') });
    expect(error?.traceback).toContain('stack traceback:');
  });

  test('a script without end ends at its time limit, and the next one runs', async () => {
    await using host = await openHost({ settings: inMemory, directory });
    const late = await host.run({ source: 'while true do end', timeoutSeconds: 0.2 });
    expect(late).toMatchObject({ exitCode: 124, error: { code: 'SCRIPT_TIMEOUT' } });
    expect((await run(host, 'print(1)')).text).toBe('1\n');
  });

  test('a signal ends a script', async () => {
    await using host = await openHost({ settings: inMemory, directory });
    const result = await host.run({ source: 'while true do end', signal: AbortSignal.timeout(200) });
    expect(result.error?.code).toBe('ABORTED');
  });

  test('scripts of one host share its state', async () => {
    await using host = await openHost({ settings: inMemory, directory });
    await Promise.all(Array.from({ length: 4 }, () => run(host, 'for i = 1, 25 do State.increment("n", "n") end')));
    expect(await host.state.get('n', 'n')).toBe(100);
  });

  test('a script that keeps nothing leaves no directory behind', async () => {
    await using host = await openHost({ settings: withBackups, directory });
    await run(host, 'print(1)');
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('state', () => {
  test('JavaScript values and Lua values are the same values', async () => {
    await using host = await openHost({ settings: inMemory, directory });
    await host.state.set('user', 'settings', { hosts: ['a', 'b'], retries: 3, ratio: 0.5, on: true });
    const { text } = await run(
      host,
      'local s = State.get("user", "settings") print(s.hosts[2], s.retries, s.ratio, s.on)',
    );
    expect(text).toBe('b\t3\t0.5\ttrue\n');
    await run(host, 'State.set("user", "back", { big = math.maxinteger, list = { 1, 2 }, bytes = "\\xff" })');
    expect(await host.state.get('user', 'back')).toEqual({
      big: 9223372036854775807n,
      list: [1, 2],
      bytes: new Uint8Array([255]),
    });
  });

  test('is there again for the next host', async () => {
    await using first = await openHost({ settings: withBackups, directory });
    await first.state.set('global', 'kept', 'yes');
    await first.close();
    await using second = await openHost({ settings: withBackups, directory });
    expect(await second.state.get('global', 'kept')).toBe('yes');
    expect(await second.state.scopes()).toEqual(['global']);
    expect(await second.state.list('global')).toEqual(['kept']);
    expect(await second.state.delete('global', 'kept')).toBe(true);
    expect(await second.state.has('global', 'kept')).toBe(false);
  });

  test('a read-only host refuses to write and says so', async () => {
    await using first = await openHost({ settings: withBackups, directory });
    await first.state.set('global', 'kept', 1);
    await first.close();
    await using host = await openHost({ settings: withBackups, directory, readOnly: true });
    await expect(host.state.set('global', 'x', 1)).rejects.toMatchObject({ code: 'STATE_READONLY' });
    expect((await run(host, 'State.set("x", 1)')).error?.message).toContain('read-only');
    expect(await host.state.get('global', 'kept')).toBe(1);
  });

  test('two hosts on one state work on the same one', async () => {
    await using one = await openHost({ settings: withBackups, directory });
    await one.state.set('global', 'x', 1);
    await using other = await openHost({ settings: withBackups, directory });
    expect(await run(other, 'State.set("x", State.get("x") + 1) State.flush()')).toMatchObject({ exitCode: 0 });
    expect(await one.state.get('global', 'x')).toBe(2);
    await one.close();
    expect(await other.state.get('global', 'x')).toBe(2);
  });

  test('held by a process that does not share it, a script is told and the caller gets its code', async () => {
    const state = join(directory, 'state');
    await mkdir(state, { recursive: true });
    await writeFile(join(state, 'share'), '');
    await using holder = await openHost({ settings: withBackups, directory });
    await holder.state.set('global', 'x', 1);
    await using host = await openHost({ settings: withBackups, directory });
    const result = await run(host, 'State.get("x")');
    expect(result).toMatchObject({ exitCode: 3, error: { code: 'STATE_LOCKED' } });
  });

  test('in memory, the history gives way at 64 MiB', async () => {
    await using host = await openHost({ settings: inMemory, directory });
    const store = await host.store();
    await host.state.set('big', 'first', 1);
    for (let n = 0; n < 80; n++) await host.state.set('big', 'value', 'x'.repeat(1_000_000));
    await host.state.flush();
    await vi.waitFor(() => expect(store.at(0)).rejects.toMatchObject({ code: 'HISTORY_UNREACHABLE' }), 10_000);
    expect(await host.state.get('big', 'first')).toBe(1);
  });

  test('after close everything is refused in one sentence', async () => {
    const host = await openHost({ settings: inMemory, directory });
    await host.close();
    await expect(host.state.get('a', 'b')).rejects.toMatchObject({ code: 'STATE_CLOSED' });
    await expect(host.run({ source: '' })).rejects.toMatchObject({ code: 'STATE_CLOSED' });
  });
});

describe('backups', () => {
  test('whatever can take long is ended by a signal, and nothing is half-done', async () => {
    await using host = await openHost({ settings: withBackups, directory });
    for (let i = 0; i < 2000; i++) await host.state.set('s', `key ${i}`, 'x'.repeat(100));
    const [backups, recovery] = [await host.backups(), await host.recovery()];
    const { backup } = await backups.create();
    await host.state.set('s', 'key 0', 'changed');
    const file = join(directory, 'exported.lsb');
    const operations: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
      create: (signal) => backups.create({ signal }),
      validate: (signal) => backups.validate(backup.id, { signal }),
      diff: (signal) => backups.diff(backup.id, 'current', { signal }),
      compact: (signal) => backups.compact(backup.id, { signal }),
      export: (signal) => backups.export(backup.id, file, { signal }),
      cleanup: (signal) => backups.cleanup({ signal }),
      delete: (signal) => backups.delete(backup.id, { signal }),
      restore: (signal) => recovery.restore({ backupId: backup.id }, { signal }),
      copy: (signal) => recovery.copy({ backupId: backup.id }, { signal }),
    };
    for (const [name, operation] of Object.entries(operations)) {
      const error = await operation(AbortSignal.abort()).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect({ name, error }).toMatchObject({ name, error: { code: 'ABORTED' } });
    }
    expect(await backups.list()).toMatchObject([{ id: backup.id }]);
    expect(await host.state.get('s', 'key 0')).toBe('changed');
    expect(await readdir(directory)).toEqual(['backups', 'state']);
  });

  test('waiting for the state is ended by the signal of the host', async () => {
    await using host = await openHost({ settings: withBackups, directory, signal: AbortSignal.abort() });
    await expect(host.store()).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(host.state.get('a', 'b')).rejects.toMatchObject({ code: 'ABORTED' });
  });

  test('made, listed, validated, restored and undone from TypeScript', async () => {
    await using host = await openHost({ settings: withBackups, directory });
    await host.state.set('user', 'name', 'Ada');
    const backups = await host.backups();
    const { backup } = await backups.create({ description: 'first', tags: ['t'] });
    expect((await backups.list({ tag: 't' })).map(({ id }) => id)).toEqual([backup.id]);
    expect((await backups.validate(backup.id)).isValid).toBe(true);

    await host.state.set('user', 'name', 'Grace');
    const phases = new Set<string>();
    const recovery = await host.recovery();
    const onProgress = ({ phase }: { phase: string }) => phases.add(phase);
    const restored = await recovery.restore({ backupId: backup.id }, { onProgress });
    expect(await host.state.get('user', 'name')).toBe('Ada');
    expect([...phases]).toEqual(['prepare', 'validate', 'rollback_point', 'restore', 'verify', 'swap']);

    await recovery.restore({ backupId: restored.rollbackId! });
    expect(await host.state.get('user', 'name')).toBe('Grace');
  });

  test('drilled, restored and rescued into places of their own, compacted, exported, taken up again', async () => {
    const settings = { runtime: { state_persistence: { path: 'state', backup: { backup_dir: 'backups' } } } };
    await using host = await openHost({ settings, directory });
    await host.state.set('user', 'name', 'Ada');
    const backups = await host.backups();
    await backups.create();
    await host.state.set('user', 'name', 'Grace');
    const { id } = (await backups.create({ incremental: true })).backup;
    await host.state.set('user', 'name', 'Mary');

    expect(await host.drill(id)).toMatchObject({ success: true, entriesCompared: 1 });
    await host.restoreInto({ backupId: id }, join(directory, 'one'));
    expect(await host.rescueInto(id, join(directory, 'two'))).toMatchObject({ isComplete: true, entryCount: 1 });
    expect((await backups.compact(id)).backup.isIncremental).toBe(false);
    await backups.export(id, join(directory, 'x.zip'));
    expect((await backups.import(join(directory, 'x.zip'))).isNew).toBe(true);
    expect(await backups.scopes(id)).toMatchObject([{ records: 1 }]);
    for (const place of ['one', 'two']) {
      const there = { runtime: { state_persistence: { path: place } } };
      await using other = await openHost({ settings: there, directory });
      expect(await other.state.get('user', 'name')).toBe('Grace');
    }
    expect(await host.state.get('user', 'name')).toBe('Mary');
  });

  test('a script that runs during a restore sees the old state, then the new one', async () => {
    const settings = { runtime: { state_persistence: { path: 'state', backup: { backup_dir: 'backups' } } } };
    await using host = await openHost({ settings, directory });
    await run(host, 'for i = 1, 500 do State.set("user", "key" .. i, "then") end');
    const { backup } = await (await host.backups()).create();
    await run(host, 'State.clear("user") for i = 1, 40 do State.set("user", "key" .. i, "now") end');
    const source = `
      print("looking")
      local seen = {}
      local after = 0
      repeat
        local sight = #State.list("user") .. " " .. State.get("user", "key7")
        if sight ~= seen[#seen] then seen[#seen + 1] = sight end
        if sight == "500 then" then after = after + 1 end
      until after == 1000
      print(table.concat(seen, ", "))`;
    let text = '';
    let restored: Promise<unknown> | undefined;
    const output = async (_stream: 1 | 2, bytes: Uint8Array) => {
      text += Buffer.from(bytes).toString();
      restored ??= host.recovery().then((recovery) => recovery.restore({ backupId: backup.id }));
    };
    expect((await host.run({ source, output, timeoutSeconds: 60 })).exitCode).toBe(0);
    await restored;
    // Between listing and getting, the swap may come once.
    expect(text.replace('40 then, ', '')).toBe('looking\n40 now, 500 then\n');
  });

  test('archives are read while another host holds the state', async () => {
    await using holder = await openHost({ settings: withBackups, directory });
    await holder.state.set('user', 'name', 'Ada');
    const { backup } = await (await holder.backups()).create();
    await using other = await openHost({ settings: withBackups, directory });
    expect((await (await other.archives()).list()).map(({ id }) => id)).toEqual([backup.id]);
  });

  test('without a backup section there are none, for scripts neither', async () => {
    await using host = await openHost({ settings: inMemory, directory });
    expect((await run(host, 'print(State.create_backup, State.restore_to, State.on_progress)')).text).toBe(
      'nil\tnil\tnil\n',
    );
    await expect(host.backups()).rejects.toMatchObject({ code: 'BACKUP_DISABLED' });
  });

  test('encrypted, their passphrase is out of reach for scripts and missing it makes no backup', async () => {
    const backup = { backup_dir: 'backups', encryption_enabled: true, encryption_key_env: 'PASSPHRASE' };
    const settings = { runtime: { state_persistence: { path: 'state', backup } } };
    const env = { PASSPHRASE: 'open sesame', OTHER: 'seen' };
    {
      await using host = await openHost({ settings, directory, env });
      const { text } = await run(
        host,
        'print(os.getenv("PASSPHRASE"), os.getenv("OTHER"), State.create_backup().success)',
      );
      expect(text).toBe('nil\tseen\ttrue\n');
    }
    await using host = await openHost({ settings, directory, env: {} });
    const { text } = await run(host, 'local r = State.create_backup() print(r.success, r.error)');
    expect(text).toContain('false\tThe key of encrypted backups is missing: the environment variable PASSPHRASE is');
    expect(await readdir(join(directory, 'backups'))).toHaveLength(2);
  });
});

describe('settings', () => {
  test('a wrong value names its key', async () => {
    const settings = { runtime: { state_persistence: { durability: 'sometimes' } } };
    const opening = openHost({ settings, directory });
    await expect(opening).rejects.toBeInstanceOf(LlmspellError);
    await expect(opening).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(opening).rejects.toThrow('settings.runtime.state_persistence.durability');
  });

  test('a key that does not exist is refused, with the nearest one', async () => {
    const opening = openHost({ settings: { runtime: { script_timeout: 3 } }, directory });
    await expect(opening).rejects.toThrow('script_timeout_seconds');
  });

  test('a file is read as the command reads it', async () => {
    const configFile = join(directory, 'my.toml');
    await writeFile(configFile, '[runtime.state_persistence]\npath = "here"\n');
    await using host = await openHost({ configFile });
    expect(host.config.runtime.state_persistence.path).toBe(join(directory, 'here'));
  });
});
