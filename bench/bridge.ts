/** `npm run bench:bridge`: what crossing from Lua to the host costs and pure Lua beside bare wasmoon. */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import type { StatePort } from '../dist/channel/protocol.js';
import { runChunk } from '../dist/lua/chunk.js';
import { installState } from '../dist/lua/globals/state.js';
import { createVm } from '../dist/lua/loader.js';
import type { LuaVm } from '../dist/lua/vm.js';

const RUNS = 5;
const ROUNDS = 3;
const LIMITS = {
  memoryBytes: 2 ** 28,
  maxInstructions: 0,
  maxOutputBytes: 0,
  maxValueBytes: 10_000_000,
  maxValueDepth: 100,
};

const PURE_LUA = {
  fib: 'local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end fib(30)',
  'n-queens': `
    local n, found = 10, 0
    local column, up, down = {}, {}, {}
    local function place(row)
      if row > n then found = found + 1 return end
      for c = 1, n do
        if not (column[c] or up[row + c] or down[row - c + n]) then
          column[c], up[row + c], down[row - c + n] = true, true, true
          place(row + 1)
          column[c], up[row + c], down[row - c + n] = nil, nil, nil
        end
      end
    end
    place(1)`,
  strings:
    'local t = {} for i = 1, 200000 do t[#t + 1] = ("%d:%s"):format(i, tostring(i * 2)):upper() end table.concat(t)',
  sort: `
    local t, x = {}, 42
    for i = 1, 120000 do x = (x * 1103515245 + 12345) % 2147483648 t[i] = x end
    table.sort(t, function(a, b) return a < b end)`,
};

const CALLS = {
  'a call that does nothing': { count: 2_000_000, code: 'local f = nothing for _ = 1, N do f() end' },
  'set and get of a 10-field table': {
    count: 50_000,
    code: `
      local set, get = set, get
      local t = { id = 17, name = "Ada Lovelace", score = 0.75, active = true, tag = "alpha", n = 123456,
        city = "London", year = 1843, ratio = 1.5, note = "first program" }
      for _ = 1, N do set("k", t) local _ = get("k").name end`,
  },
};

type Engine = 'ours' | 'stock';

interface StockEngine {
  global: { set(name: string, value: unknown): void };
  doStringSync(code: string): unknown;
}

/** Runs Lua code in an engine of its own, and again. */
type Runner = (code: string) => void;

async function stock(): Promise<Runner> {
  const { LuaFactory } = createRequire(import.meta.url)('wasmoon') as {
    LuaFactory: new () => { createEngine(): Promise<StockEngine> };
  };
  const engine = await new LuaFactory().createEngine();
  const values = new Map<string, unknown>();
  engine.global.set('nothing', () => undefined);
  engine.global.set('set', (key: string, value: unknown) => void values.set(key, value));
  engine.global.set('get', (key: string) => values.get(key));
  return (code) => void engine.doStringSync(code);
}

async function ours(): Promise<Runner> {
  const vm = createVm([]);
  vm.maxMemoryBytes = LIMITS.memoryBytes;
  vm.setUp((L) => {
    vm.lua.luaL_openlibs(L);
    installState(vm, L, { port: memoryPort(), limits: LIMITS, calls: [], onEvent: () => undefined });
    vm.pushFunction(L, () => 0);
    vm.lua.lua_setglobal(L, vm.cstring('nothing'));
  });
  run(vm, 'set, get = State.set, State.get');
  return (code) => run(vm, code);
}

const run = (vm: LuaVm, code: string): void =>
  runChunk(vm, { source: Buffer.from(code), chunkName: '=bench', args: [] });

/** The shortest way a port can be: what remains is the bridge. */
function memoryPort(): StatePort {
  let stored: Uint8Array | undefined;
  const port: Pick<StatePort, 'get' | 'set'> = {
    get: () => stored,
    set: (_scope, _key, value) => {
      stored = value?.slice();
    },
  };
  return port as StatePort;
}

/** In a child process: milliseconds of each run. */
async function measure(engine: Engine, code: string): Promise<number[]> {
  const runner = await (engine === 'ours' ? ours() : stock());
  return Array.from({ length: RUNS }, () => {
    const start = performance.now();
    runner(code);
    return performance.now() - start;
  });
}

/** The best of each engine; in turn, so that a slow moment of the machine meets both. */
function best(code: string): { own: number; other: number } {
  const inChild = (engine: Engine) => {
    const args = [fileURLToPath(import.meta.url), engine, code];
    return Math.min(...(JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as number[]));
  };
  const rounds = Array.from({ length: ROUNDS }, () => [inChild('ours'), inChild('stock')] as const);
  return { own: Math.min(...rounds.map(([own]) => own)), other: Math.min(...rounds.map(([, other]) => other)) };
}

const print = (line: string): void => console.log(line);

function benchCalls(): void {
  for (const [name, { count, code }] of Object.entries(CALLS)) {
    const { own, other } = best(code.replace('N do', `${count} do`));
    const [a, b] = [own, other].map((ms) => ((ms * 1000) / count).toFixed(3));
    print(`${name}: ${a} µs; stock wasmoon ${b} µs; ${(other / own).toFixed(1)} × faster`);
  }
}

function benchPureLua(): void {
  for (const [name, code] of Object.entries(PURE_LUA)) {
    const { own, other } = best(code);
    print(`${name}: ${own.toFixed(0)} ms; bare wasmoon ${other.toFixed(0)} ms; ${(own / other).toFixed(2)} ×`);
  }
}

const [engine, code] = process.argv.slice(2);
if (code !== undefined) print(JSON.stringify(await measure(engine as Engine, code)));
else {
  benchCalls();
  benchPureLua();
}
