/**
 * `npm run bench:reads [runs]`: what a script's reads take that its own view does not know, over a state of 200,000 entries on disk, first touch:
 * the keys that a list names, ascending ones, any, and ones that are not there; beside `redis.call("GET")` in `EVAL`. Then four
 * scripts that read a thousand keys of their own again and again while a fifth one writes elsewhere. Microseconds a read: by the clock, and of
 * the processors (all threads of the process). Minimum of the runs.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type Host, openHost } from '../dist/index.js';
import { atRest } from './harness.js';

const ENTRIES = 200_000;
const READS = 5000;
const RUNS = Number(process.argv[2] ?? 10);
const directory = mkdtempSync(join(tmpdir(), 'llmspell-bench-'));

/** Reads of round `r`. */
const LOOPS: Record<string, string> = {
  'what a list names': `
    for _, key in ipairs(State.list("s", { after = ("key:%06d"):format(r * ${READS}), limit = ${READS} })) do State.get("s", key) end`,
  'ascending keys': `for i = 1, ${READS} do State.get("s", ("key:%06d"):format(r * ${READS} + i)) end`,
  'any keys': `for i = 1, ${READS} do State.get("s", ("key:%06d"):format(math.random(${ENTRIES}))) end`,
  'keys that are not there': `for i = 1, ${READS} do State.get("s", ("none:%06d"):format(r * ${READS} + i)) end`,
};

interface Cost {
  micros: number;
  cpuMicros: number;
}

const clock = (): Cost => {
  const { user, system } = process.cpuUsage();
  return { micros: performance.now() * 1000, cpuMicros: user + system };
};

const least = (costs: readonly Cost[]): Cost => ({
  micros: Math.min(...costs.map(({ micros }) => micros)),
  cpuMicros: Math.min(...costs.map(({ cpuMicros }) => cpuMicros)),
});

/** Runs `rounds` rounds of a loop in one script; what each took, a read. */
async function measure(host: Host, loop: string, rounds: number): Promise<Cost[]> {
  const stdin = new PassThrough();
  const costs: Cost[] = [];
  let before = clock();
  const output = () => {
    const now = clock();
    costs.push({
      micros: (now.micros - before.micros) / READS,
      cpuMicros: (now.cpuMicros - before.cpuMicros) / READS,
    });
    before = clock();
    stdin.write('\n');
  };
  const source = `for r = 0, ${rounds - 1} do ${loop} print(r) io.flush() io.read() end`;
  const { error } = await host.run({ source, timeoutSeconds: 0, stdin, output });
  if (error) throw new Error(error.message);
  return costs;
}

async function withHost<T>(body: (host: Host) => Promise<T>): Promise<T> {
  const settings = { runtime: { state_persistence: { backend_type: 'level', path: join(directory, 'state') } } };
  const host = await openHost({ settings, directory });
  try {
    return await body(host);
  } finally {
    await host.close();
  }
}

const show = (name: string, { micros, cpuMicros }: Cost): void =>
  console.log(`${name.padEnd(40)} ${micros.toFixed(2)} µs, ${cpuMicros.toFixed(2)} µs of processors`);

async function coldReads(): Promise<void> {
  await withHost(async (host) => {
    const fill = `for i = 1, ${ENTRIES} do State.set("s", ("key:%06d"):format(i), ("x"):rep(100) .. i) end State.flush()`;
    const { error } = await host.run({ source: fill, timeoutSeconds: 0 });
    if (error) throw new Error(error.message);
    await atRest();
  });
  for (const [name, loop] of Object.entries(LOOPS))
    show(name, least((await withHost((host) => measure(host, loop, RUNS))).slice(1)));
}

function redis(): void {
  if (spawnSync('redis-server', ['--version']).error !== undefined) {
    console.log('redis-server is not installed: no comparison with it.');
    return;
  }
  const socket = join(directory, 'redis.sock');
  const server = spawn('redis-server', ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', directory], {
    stdio: 'ignore',
  });
  const evaluate = (code: string) => execFileSync('redis-cli', ['-s', socket, 'EVAL', code, '0'], { encoding: 'utf8' });
  while (spawnSync('redis-cli', ['-s', socket, 'PING']).stdout.toString().trim() !== 'PONG')
    spawnSync('sleep', ['0.02']);
  evaluate(`for i = 1, ${ENTRIES} do redis.call("SET", ("key:%06d"):format(i), ("x"):rep(100) .. i) end return ""`);
  const code = `
    local function now() local t = redis.call("TIME") return t[1] * 1e6 + t[2] end
    local from = now()
    for i = 1, ${READS} do redis.call("GET", ("key:%06d"):format(math.random(${ENTRIES}))) end
    return tostring(now() - from)`;
  const micros = Math.min(...Array.from({ length: RUNS }, () => Number.parseFloat(evaluate(code)) / READS));
  console.log(`${'any keys, Redis EVAL'.padEnd(40)} ${micros.toFixed(2)} µs`);
  server.kill('SIGKILL');
}

/** Four scripts read keys of their own while `other` runs beside them; all their reads together. */
async function hotReads(other: string): Promise<Cost> {
  const rounds = 50;
  const reader = (name: string) => `
    for i = 1, 1000 do State.set("${name}", "k" .. i, i) end
    for _ = 1, ${rounds} do for i = 1, 1000 do assert(State.get("${name}", "k" .. i) == i) end end`;
  return await withHost(async (host) => {
    const ending = new AbortController();
    const beside = host.run({ source: other, timeoutSeconds: 0, signal: ending.signal });
    const before = clock();
    const results = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) => host.run({ source: reader(name), timeoutSeconds: 0 })),
    );
    const now = clock();
    for (const { error } of results) if (error) throw new Error(error.message);
    ending.abort();
    await beside;
    const reads = 4 * 1000 * rounds;
    return {
      micros: (now.micros - before.micros) / reads,
      cpuMicros: (now.cpuMicros - before.cpuMicros) / reads,
    };
  });
}

await coldReads();
redis();
const WRITES = `while true do for i = 1, 10 do State.set("other", "k" .. i, i) end State.flush() end`;
for (const [name, other] of [
  ['four scripts, own keys', ''],
  ['four scripts, own keys, one writes', WRITES],
] as const) {
  const costs: Cost[] = [];
  for (let run = 0; run < 3; run++) costs.push(await hotReads(other));
  show(name, least(costs));
}
rmSync(directory, { recursive: true });
