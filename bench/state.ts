/**
 * `npm run bench:state [runs]`: the same Lua loops over the state here (`level`, history on, durability `interval`), in Redis (`EVAL`, tables with
 * cmsgpack), in Tarantool (memtx, 1,000 sets a transaction) and over a function of stock wasmoon with a JavaScript Map. Microseconds an
 * operation, minimum of the runs; each run measures all of them one after the other.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { openHost } from '../dist/index.js';
import { createLevelBackend } from '../dist/state/backends/level.js';
import { openStore } from '../dist/state/store.js';
import { dialects, HERE_NOW, type Loop, loopSource } from './state-loops.js';

const LOOPS: Record<string, Loop> = {
  'scalars, 1,000 keys': { value: 'i', keys: 1000, count: 300_000, isTable: false },
  'a 10-field table, 1,000 keys': { value: 'TABLE', keys: 1000, count: 100_000, isTable: true },
  'strings of 1 kB, 1,000 keys': { value: '("x"):rep(1000)', keys: 1000, count: 50_000, isTable: false },
  'scalars, 1,000,000 keys': { value: 'i', keys: 1_000_000, count: 1_000_000, isTable: false },
};
const SELF = fileURLToPath(import.meta.url);
const main = join(tmpdir(), 'llmspell-bench-');

/** Microseconds of one set and of one get. */
type Figures = Record<'set' | 'get', number>;

const isInstalled = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;

/** Runs a Lua loop with the state in `directory` and returns what it prints. */
async function runHere(directory: string, source: string): Promise<string> {
  const settings = { runtime: { state_persistence: { backend_type: 'level', path: directory } } };
  const host = await openHost({ settings, directory });
  const stdin = new PassThrough();
  let printed = '';
  const output = (_: number, bytes: Uint8Array) => {
    printed += Buffer.from(bytes).toString();
    if (!printed.endsWith('time\n')) return;
    printed = '';
    stdin.write(`${performance.now() / 1000}\n`);
  };
  const result = await host.run({ source, timeoutSeconds: 0, stdin, output });
  if (result.error) throw new Error(result.error.message);
  await host.close();
  return printed;
}

const inChild = (...args: string[]): string => execFileSync(process.execPath, [SELF, ...args], { encoding: 'utf8' });

const engines: Record<string, { isThere: boolean; run(loop: string, directory: string): string }> = {
  here: {
    isThere: true,
    run: (loop, directory) => inChild('here', directory, loopSource(LOOPS[loop]!, dialects.here)),
  },
  'Redis EVAL': {
    isThere: isInstalled('redis-server'),
    run: (loop, directory) => {
      const source = loopSource(LOOPS[loop]!, dialects.redis);
      const settings = `--port 0 --save '' --unixsocket ${directory}/socket --busy-reply-threshold 0`;
      const script = join(directory, 'loop.lua');
      writeFileSync(script, source);
      const shell = `redis-server ${settings} >/dev/null & until redis-cli -s ${directory}/socket PING >/dev/null 2>&1; do sleep 0.02; done
        redis-cli -s ${directory}/socket --eval ${script}; redis-cli -s ${directory}/socket SHUTDOWN NOSAVE >/dev/null; wait`;
      return execFileSync('sh', ['-c', shell], { encoding: 'utf8' });
    },
  },
  'Tarantool memtx': {
    isThere: isInstalled('tarantool'),
    run: (loop, directory) => {
      const script = join(directory, 'loop.lua');
      writeFileSync(script, loopSource(LOOPS[loop]!, dialects.tarantool));
      return execFileSync('tarantool', [script], {
        cwd: directory,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    },
  },
  'stock wasmoon, Map': {
    isThere: true,
    run: (loop) => inChild('stock', loopSource(LOOPS[loop]!, dialects.stock)),
  },
};

function figuresOf(output: string, { count }: Loop): Figures {
  const [set, get] = output.trim().split(/\s+/).slice(-2).map(Number);
  return { set: (set! * 1e6) / count, get: (get! * 1e6) / count };
}

function inDirectory<T>(work: (directory: string) => T): T {
  const directory = mkdtempSync(main);
  try {
    return work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function measure(name: string, runs: number): void {
  const loop = LOOPS[name]!;
  const there = Object.entries(engines).filter(
    ([engine, { isThere }]) => isThere && (loop.keys <= 1000 || engine !== 'stock wasmoon, Map'),
  );
  const best = new Map<string, Figures>();
  for (let run = 0; run < runs; run++)
    for (const [engine, { run: runLoop }] of there) {
      const figures = figuresOf(
        inDirectory((directory) => runLoop(name, directory)),
        loop,
      );
      const before = best.get(engine) ?? { set: Number.POSITIVE_INFINITY, get: Number.POSITIVE_INFINITY };
      best.set(engine, { set: Math.min(before.set, figures.set), get: Math.min(before.get, figures.get) });
    }
  console.log(`${name}:`);
  const here = best.get('here')!;
  for (const [engine, { set, get }] of best)
    console.log(
      `  ${engine.padEnd(20)} set ${set.toFixed(2)} µs (${(here.set / set).toFixed(2)} ×)  get ${get.toFixed(2)} µs (${(here.get / get).toFixed(2)} ×)`,
    );
}

/** What a state of 1,000,000 entries of 500 bytes costs: memory while it is written, time to open it, and to list a part. */
async function measureLarge(directory: string, runs: number): Promise<void> {
  const [large, empty] = [join(directory, 'large'), join(directory, 'empty')];
  const fill =
    'local v = ("x"):rep(500) for i = 1, 1000000 do State.set("big", "key:" .. i, v) end State.flush() print(0, 0)';
  const peakBytes = Number(inChild('here', large, fill).trim().split(/\s+/).at(-1));
  console.log(`1,000,000 entries of 500 bytes: peak memory ${(peakBytes / 2 ** 20).toFixed(0)} MiB`);
  const list = `
    ${HERE_NOW}
    local best = 1e9
    for i = 1, ${runs} do
      local from = now()
      assert(#State.list("big", { after = "key:" .. i * 1000, limit = 1000 }) == 1000)
      best = math.min(best, now() - from)
    end
    print(best, 0)`;
  const listing = Number((await runHere(large, list)).split(/\s+/)[0]);
  console.log(`list of 1,000 of them: ${(listing * 1000).toFixed(2)} ms`);
  const open = async (path: string) => {
    const from = performance.now();
    const store = await openStore(createLevelBackend({ directory: path }));
    const ms = performance.now() - from;
    await store.close();
    return ms;
  };
  await open(empty);
  const times = { large: Number.POSITIVE_INFINITY, empty: Number.POSITIVE_INFINITY };
  for (let run = 0; run < 4 * runs; run++) {
    times.large = Math.min(times.large, await open(large));
    times.empty = Math.min(times.empty, await open(empty));
  }
  console.log(
    `opening it: ${times.large.toFixed(1)} ms, an empty one ${times.empty.toFixed(1)} ms (${(times.large / times.empty).toFixed(2)} ×)`,
  );
}

async function runStock(source: string): Promise<string> {
  const { createRequire } = await import('node:module');
  const { LuaFactory } = createRequire(import.meta.url)('wasmoon') as {
    LuaFactory: new () => {
      createEngine(): Promise<{
        global: { set(name: string, value: unknown): void };
        doStringSync(code: string): string;
      }>;
    };
  };
  const engine = await new LuaFactory().createEngine();
  const values = new Map<string, unknown>();
  engine.global.set('set', (key: string, value: unknown) => void values.set(key, value));
  engine.global.set('get', (key: string) => values.get(key));
  return engine.doStringSync(source);
}

const [mode, ...rest] = process.argv.slice(2);
if (mode === 'here') {
  mkdirSync(rest[0]!, { recursive: true });
  const output = await runHere(rest[0]!, rest[1]!);
  // Peak memory of this process, both threads, goes last where the loop has no figures of its own.
  console.log(output.trim() === '0\t0' ? process.resourceUsage().maxRSS * 1024 : output);
} else if (mode === 'stock') console.log(await runStock(rest[0]!));
else {
  const runs = Number(mode ?? 5);
  for (const [name, { isThere }] of Object.entries(engines))
    if (!isThere) console.log(`${name}: not installed, no comparison with it.`);
  for (const name of Object.keys(LOOPS)) measure(name, runs);
  const directory = mkdtempSync(main);
  await measureLarge(directory, runs);
  rmSync(directory, { recursive: true, force: true });
}
