/**
 * `npm run bench:state [runs]`: the same Lua loops over the state here (`level`, history on, durability `interval`), in Redis (`EVAL`, tables with
 * cmsgpack), in Tarantool (memtx, 1,000 sets a transaction) and over a function of stock wasmoon with a JavaScript Map. Microseconds an
 * operation; each run measures all of them one after the other. With few keys every process makes four rounds, and what is shown is the best of all
 * rounds of all runs, and of the first rounds: that is with the compilers of JavaScript and WebAssembly still at work. With many keys it is one round.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { openHost } from '../dist/index.js';
import { createLevelBackend } from '../dist/state/backends/level.js';
import { openStore } from '../dist/state/store.js';
import { dialects, FEW, HERE_NOW, type Loop, loopSource } from './state-loops.js';

const LOOPS: Record<string, Loop> = {
  'scalars, 1,000 keys': { value: 'i', keys: 1000, count: 300_000, isTable: false },
  'a 10-field table, 1,000 keys': { value: 'TABLE', keys: 1000, count: 100_000, isTable: true },
  'strings of 1 kB, 1,000 keys': { value: '("x"):rep(1000)', keys: 1000, count: 50_000, isTable: false },
  'scalars, 1,000,000 keys': { value: 'i', keys: 1_000_000, count: 1_000_000, isTable: false },
};
const SELF = fileURLToPath(import.meta.url);
const main = join(tmpdir(), 'llmspell-bench-');

/** Microseconds of one set, of one get, and of one get all of whose fields are read. */
type Figures = Record<'set' | 'get' | 'read', number>;
const KINDS = ['set', 'get', 'read'] as const;

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

/** Of each round. */
function figuresOf(output: string, { count }: Loop): Figures[] {
  const times = output
    .trim()
    .split(/\s+/)
    .map((seconds) => (Number(seconds) * 1e6) / count);
  const rounds = Array.from({ length: times.length / 3 }, (_, i) => times.slice(3 * i, 3 * i + 3));
  return rounds.map(([set = 0, get = 0, read = 0]) => ({ set, get, read }));
}

const least = (rounds: readonly Figures[]): Figures => {
  const of = (kind: keyof Figures) => Math.min(...rounds.map((figures) => figures[kind]));
  return { set: of('set'), get: of('get'), read: of('read') };
};

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
    ([engine, { isThere }]) => isThere && (loop.keys <= FEW || engine !== 'stock wasmoon, Map'),
  );
  const found = new Map(there.map(([engine]) => [engine, [] as Figures[][]]));
  for (let run = 0; run < runs; run++)
    for (const [engine, { run: runLoop }] of there)
      found.get(engine)!.push(
        figuresOf(
          inDirectory((directory) => runLoop(name, directory)),
          loop,
        ),
      );
  console.log(`${name}:`);
  printFigures(new Map([...found].map(([engine, rounds]) => [engine, least(rounds.flat())])), loop);
  if (loop.keys > FEW) return;
  console.log('  in the first round:');
  printFigures(new Map([...found].map(([engine, rounds]) => [engine, least(rounds.map(([first]) => first!))])), loop);
}

function printFigures(best: ReadonlyMap<string, Figures>, { isTable }: Loop): void {
  const here = best.get('here')!;
  for (const [engine, figures] of best) {
    const parts = KINDS.filter((kind) => isTable || kind !== 'read').map(
      (kind) => `${kind} ${figures[kind].toFixed(2)} µs (${(here[kind] / figures[kind]).toFixed(2)} ×)`,
    );
    console.log(`  ${engine.padEnd(20)} ${parts.join('  ')}`);
  }
}

const LISTS = 50;

/** What a state of 1,000,000 entries of 500 bytes costs: memory while it is written, time to open it, and to list a part. */
async function measureLarge(directory: string, runs: number): Promise<void> {
  const [large, empty] = [join(directory, 'large'), join(directory, 'empty')];
  const fill = 'local v = ("x"):rep(500) for i = 1, 1000000 do State.set("big", "key:" .. i, v) end State.flush()';
  console.log(`1,000,000 entries of 500 bytes: ${inChild('fill', large, fill).trim()}`);
  const list = `
    ${HERE_NOW}
    State.get("big", "key:1")
    local times = {}
    for i = 1, ${LISTS} do
      local from = now()
      assert(#State.list("big", { after = "key:" .. i * 17000, limit = 1000 }) == 1000)
      times[i] = (now() - from) * 1000
    end
    table.sort(times)
    print(("%.2f ms (the quickest %.2f, the slowest %.2f)"):format(times[${LISTS / 2}], times[1], times[${LISTS}]))`;
  console.log(`list of 1,000 of them, median of ${LISTS} places: ${(await runHere(large, list)).trim()}`);
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

/** In MiB: the process's own memory (Linux: `RssAnon`), and the pages of files that it has mapped, which the system takes back when it needs them. */
function residentMib(): { own: number; mapped: number } {
  const status = readFileSync('/proc/self/status', 'utf8');
  const of = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
  return { own: of('RssAnon'), mapped: of('RssFile') };
}

/** Runs `work` and tells the most that both were, looked at every 20 ms. */
async function peakMemory(work: () => Promise<unknown>): Promise<string> {
  const peak = residentMib();
  const before = { ...peak };
  const timer = setInterval(() => {
    const now = residentMib();
    peak.own = Math.max(peak.own, now.own);
    peak.mapped = Math.max(peak.mapped, now.mapped);
  }, 20);
  await work();
  clearInterval(timer);
  const all = process.resourceUsage().maxRSS / 1024;
  return `peak memory ${peak.own.toFixed(0)} MiB of its own, files mapped ${peak.mapped.toFixed(0)} MiB (${before.mapped.toFixed(0)} of them Node's), together at most ${all.toFixed(0)} MiB`;
}

const [mode, ...rest] = process.argv.slice(2);
if (mode === 'here') {
  mkdirSync(rest[0]!, { recursive: true });
  console.log(await runHere(rest[0]!, rest[1]!));
} else if (mode === 'fill') {
  mkdirSync(rest[0]!, { recursive: true });
  console.log(await peakMemory(() => runHere(rest[0]!, rest[1]!)));
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
