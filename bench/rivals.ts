import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Packr } from 'msgpackr';
import type { RawEntry } from '../dist/state/types.js';

/** What the same job takes elsewhere, in seconds; sizes in bytes. */
export interface RivalFigures {
  backup?: number;
  validate?: number;
  restore?: number;
  sizeBytes?: number;
}

export interface Rival {
  name: string;
  measure(): Promise<RivalFigures>;
  close(): Promise<void>;
}

const isInstalled = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;

const execute = promisify(execFile);

/** In seconds. Not synchronously: what this process has to do meanwhile it does not put off. */
async function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<number> {
  const from = performance.now();
  await execute(program, args, { ...options, maxBuffer: 2 ** 28 });
  return (performance.now() - from) / 1000;
}

const bytesBelow = (path: string): number => Number(spawnSync('du', ['-sb', path]).stdout.toString().split('\t')[0]);

/** Each is given the same entries: Redis as keys, the others as one file. */
export async function installedRivals(directory: string, entries: readonly RawEntry[]): Promise<Rival[]> {
  const file = join(directory, 'entries.raw');
  writeFileSync(file, Buffer.concat(entries.flatMap(({ key, value }) => [key, value])));
  const rivals: Record<string, () => Rival | Promise<Rival>> = {
    'redis-server': () => redis(join(directory, 'redis'), entries),
    tarantool: () => tarantool(join(directory, 'tarantool'), entries),
    restic: () => restic(join(directory, 'restic'), file),
    borg: () => borg(join(directory, 'borg'), file),
    zstd: () => zstd(file),
  };
  const found: Rival[] = [];
  for (const [program, make] of Object.entries(rivals)) {
    if (isInstalled(program)) found.push(await make());
    else console.log(`${program} is not installed: no comparison with it.`);
  }
  return found;
}

async function redis(directory: string, entries: readonly RawEntry[]): Promise<Rival> {
  mkdirSync(directory);
  const socket = join(directory, 'socket');
  let server = await startRedis(directory, socket);
  await fillRedis(socket, entries);
  return {
    name: 'Redis SAVE, load',
    measure: async () => {
      const backup = await run('redis-cli', ['-s', socket, 'SAVE']);
      await run('redis-cli', ['-s', socket, 'SHUTDOWN', 'NOSAVE']);
      await delay(100);
      server = await startRedis(directory, socket);
      const loaded = [
        ...readFileSync(join(directory, 'log'), 'utf8').matchAll(/loaded from disk: ([\d.]+) seconds/g),
      ].at(-1);
      return { backup, restore: Number(loaded![1]), sizeBytes: bytesBelow(join(directory, 'dump.rdb')) };
    },
    close: async () => void server.kill('SIGKILL'),
  };
}

async function startRedis(directory: string, socket: string): Promise<ChildProcess> {
  const settings = { port: '0', unixsocket: socket, dir: directory, save: '', logfile: join(directory, 'log') };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const server = spawn('redis-server', args, { stdio: 'ignore' });
  for (;;) {
    const { stdout } = spawnSync('redis-cli', ['-s', socket, 'PING']);
    if (stdout.toString().startsWith('PONG')) return server;
    await delay(20);
  }
}

async function fillRedis(socket: string, entries: readonly RawEntry[]): Promise<void> {
  const word = (bytes: Uint8Array) => Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]);
  const commands = entries.map(({ key, value }) =>
    Buffer.concat([Buffer.from('*3\r\n$3\r\nSET\r\n'), word(key), word(value)]),
  );
  const { status } = spawnSync('redis-cli', ['-s', socket, '--pipe'], { input: Buffer.concat(commands) });
  if (status !== 0) throw new Error('redis-cli --pipe failed');
}

/** Fills a space from a file, or begins with what a snapshot holds and makes the next one; prints how many seconds each took. */
const TARANTOOL = `
local clock, msgpack = require('clock'), require('msgpack')
local directory, file = arg[1], arg[2]
local from = clock.monotonic()
box.cfg{ memtx_dir = directory, wal_dir = directory, wal_mode = 'none', memtx_memory = 2 * 1024 ^ 3, checkpoint_count = 1,
  checkpoint_interval = 0, log = directory .. '/log' }
local restored = clock.monotonic() - from
if file then
  local bytes, at = io.open(file, 'rb'):read('*a'), 1
  local entries = box.schema.create_space('entries')
  entries:create_index('primary', { parts = { { 1, 'string' } } })
  while at <= #bytes do
    local entry
    entry, at = msgpack.decode(bytes, at)
    entries:replace(entry)
  end
end
-- Without a change there would be nothing to write.
box.space.entries:replace({ 'bench', tostring(clock.monotonic()) })
from = clock.monotonic()
box.snapshot()
print(restored, clock.monotonic() - from)
os.exit(0)
`;

async function tarantool(directory: string, entries: readonly RawEntry[]): Promise<Rival> {
  mkdirSync(directory);
  const [script, file] = [`${directory}.lua`, `${directory}.entries`];
  writeFileSync(script, TARANTOOL);
  const packr = new Packr({ useRecords: false });
  writeFileSync(
    file,
    Buffer.concat(entries.map(({ key, value }) => packr.pack([Buffer.from(key), Buffer.from(value)]))),
  );
  const start = async (...args: string[]) => (await execute('tarantool', [script, directory, ...args])).stdout;
  await start(file);
  return {
    name: 'Tarantool snapshot, recovery',
    measure: async () => {
      const [restore, backup] = (await start()).trim().split(/\s+/).map(Number);
      const snapshots = readdirSync(directory).filter((name) => name.endsWith('.snap'));
      return { backup: backup!, restore: restore!, sizeBytes: bytesBelow(join(directory, snapshots.sort().at(-1)!)) };
    },
    close: async () => undefined,
  };
}

function restic(directory: string, file: string): Rival {
  const env = {
    ...process.env,
    RESTIC_PASSWORD: 'bench',
    RESTIC_REPOSITORY: directory,
    XDG_CACHE_HOME: `${directory}-cache`,
  };
  const out = `${directory}-out`;
  return {
    name: 'restic',
    measure: async () => {
      for (const path of [directory, out]) rmSync(path, { recursive: true, force: true });
      await run('restic', ['init'], { env });
      const backup = await run('restic', ['backup', file], { env });
      const validate = await run('restic', ['check', '--read-data'], { env });
      const restore = await run('restic', ['restore', 'latest', '--target', out], { env });
      return { backup, validate, restore, sizeBytes: bytesBelow(directory) };
    },
    close: async () => undefined,
  };
}

function borg(directory: string, file: string): Rival {
  const env = { ...process.env, BORG_BASE_DIR: `${directory}-base`, BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes' };
  const out = `${directory}-out`;
  const archive = `${directory}::one`;
  return {
    name: 'borg (zstd,3)',
    measure: async () => {
      for (const path of [directory, out]) rmSync(path, { recursive: true, force: true });
      mkdirSync(out);
      await run('borg', ['init', '-e', 'none', directory], { env });
      const backup = await run('borg', ['create', '--compression', 'zstd,3', archive, file], { env });
      const validate = await run('borg', ['check', '--verify-data', directory], { env });
      const restore = await run('borg', ['extract', archive], { env, cwd: out });
      return { backup, validate, restore, sizeBytes: bytesBelow(directory) };
    },
    close: async () => undefined,
  };
}

/** The floor: nothing but packing the bytes. */
function zstd(file: string): Rival {
  const [packed, out] = [`${file}.zst`, `${file}.out`];
  return {
    name: 'zstd -3 (floor)',
    measure: async () => ({
      backup: await run('zstd', ['-3', '-q', '-f', file, '-o', packed]),
      validate: await run('zstd', ['-t', '-q', packed]),
      restore: await run('zstd', ['-d', '-q', '-f', packed, '-o', out]),
      sizeBytes: bytesBelow(packed),
    }),
    close: async () => undefined,
  };
}
