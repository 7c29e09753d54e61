/**
 * `npm run bench:store [entries]`: what the state engine takes on the thread that calls it, beside the same loops in Redis (`EVAL`,
 * with cmsgpack for tables). The engine gets its writes as the channel hands them over, some hundred together; `flush` is
 * included. Minimum of five runs, of three for the large ones.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLevelBackend } from '../dist/state/backends/level.js';
import { encodeValue } from '../dist/state/codec.js';
import { openStore } from '../dist/state/store.js';
import type { StateStore } from '../dist/state/types.js';
import { utf8 } from '../dist/util/bytes.js';

const BATCH = 500;
const MANY = Number(process.argv[2] ?? 1_000_000);
const scope = utf8('global');
const directory = mkdtempSync(join(tmpdir(), 'llmspell-bench-'));

const TABLE = {
  id: 17,
  name: 'Ada Lovelace',
  score: 0.75,
  active: true,
  tag: 'alpha',
  n: 123456,
  city: 'London',
  year: 1843,
  ratio: 1.5,
  note: 'first program',
};
const LUA_TABLE =
  '{id=17,name="Ada Lovelace",score=0.75,active=true,tag="alpha",n=123456,city="London",year=1843,ratio=1.5,note="first program"}';

interface Loop {
  name: string;
  count: number;
  keys: number;
  value: unknown;
  /** What Redis sets, in its Lua. */
  lua: string;
}

const LOOPS: Loop[] = [
  { name: 'scalars, 1,000 keys', count: 300_000, keys: 1000, value: 123456, lua: '"123456"' },
  { name: 'scalars, all keys distinct', count: MANY, keys: MANY, value: 123456, lua: '"123456"' },
  { name: '10-field tables, 1,000 keys', count: 300_000, keys: 1000, value: TABLE, lua: `cmsgpack.pack(${LUA_TABLE})` },
  {
    name: '1 kB strings, all keys distinct',
    count: MANY / 5,
    keys: MANY / 5,
    value: 'x'.repeat(1024),
    lua: 'string.rep("x", 1024)',
  },
];

const seconds = (from: number): number => (performance.now() - from) / 1000;
const microseconds = (total: number, count: number): string => `${((total / count) * 1e6).toFixed(2)} µs`;

async function least(runs: number, measure: () => Promise<number>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < runs; i++) best = Math.min(best, await measure());
  return best;
}

async function withStore<T>(body: (store: StateStore, path: string) => Promise<T>): Promise<T> {
  const path = mkdtempSync(join(directory, 'state-'));
  const store = await openStore(createLevelBackend({ directory: path }));
  try {
    return await body(store, path);
  } finally {
    await store.close();
    rmSync(path, { recursive: true });
  }
}

async function fill(
  store: StateStore,
  { count, keys, value }: Pick<Loop, 'count' | 'keys' | 'value'>,
): Promise<number> {
  const encoded = encodeValue(value);
  const from = performance.now();
  for (let i = 0; i < count; i += BATCH) {
    const changes = Array.from({ length: BATCH }, (_, n) => ({
      scope,
      key: utf8(`key:${(i + n) % keys}`),
      value: encoded,
    }));
    await store.write(changes);
  }
  await store.flush();
  return seconds(from);
}

async function readSome(store: StateStore, keys: number): Promise<number> {
  const from = performance.now();
  for (let i = 0; i < 100_000; i++) await store.get(scope, utf8(`key:${(i * 7919) % keys}`));
  return seconds(from);
}

async function reopen(path: string): Promise<number> {
  const from = performance.now();
  const store = await openStore(createLevelBackend({ directory: path }));
  const taken = seconds(from);
  await store.close();
  return taken;
}

async function startRedis(): Promise<{ server: ChildProcess; evaluate: (code: string) => number } | undefined> {
  if (spawnSync('redis-server', ['--version']).error !== undefined) return undefined;
  const socket = join(directory, 'redis.sock');
  const server = spawn('redis-server', ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', directory], {
    stdio: 'ignore',
  });
  while (spawnSync('redis-cli', ['-s', socket, 'PING']).stdout.toString().trim() !== 'PONG')
    await new Promise((resolve) => setTimeout(resolve, 20));
  const evaluate = (code: string): number => {
    const from = performance.now();
    execFileSync('redis-cli', ['-s', socket, 'EVAL', code, '0']);
    return seconds(from);
  };
  return { server, evaluate };
}

async function compareLoops(): Promise<void> {
  const redis = await startRedis();
  if (redis === undefined) console.log('redis-server is not installed: no comparison with it.');
  for (const loop of LOOPS) {
    const runs = loop.keys > 1000 ? 3 : 5;
    const ours = await least(runs, () => withStore((store) => fill(store, loop)));
    let line = `set ${loop.name}: ${microseconds(ours, loop.count)}`;
    if (redis !== undefined) {
      const code = `for i = 1, ${loop.count} do redis.call("SET", "key:" .. i % ${loop.keys}, ${loop.lua}) end`;
      const theirs = await least(runs, async () => redis.evaluate(code));
      line += `; Redis EVAL ${microseconds(theirs, loop.count)}, ratio ${(ours / theirs).toFixed(2)}`;
    }
    console.log(line);
  }
  redis?.server.kill('SIGKILL');
}

async function largeState(): Promise<void> {
  await withStore(async (store, path) => {
    await fill(store, { count: MANY, keys: MANY, value: 123456 });
    console.log(`get, ${MANY} keys: ${microseconds(await least(3, () => readSome(store, MANY)), 100_000)}`);
    const list = await least(5, async () => {
      const from = performance.now();
      for (let i = 0; i < 10; i++) await store.list(scope, { after: utf8(`key:${i * 999}`), limit: 1000 });
      return seconds(from) / 10;
    });
    console.log(`list 1,000 of ${MANY} keys: ${(list * 1e3).toFixed(2)} ms`);
    await store.close();
    const full = await least(5, () => reopen(path));
    const empty = await withStore(async (other, emptyPath) => {
      await other.close();
      return await least(5, () => reopen(emptyPath));
    });
    console.log(
      `open ${MANY} entries: ${(full * 1e3).toFixed(1)} ms, ratio to an empty state ${(full / empty).toFixed(2)}`,
    );
  });
}

if (process.argv[3] === 'memory') {
  await withStore((store) => fill(store, { count: MANY, keys: MANY, value: 'x'.repeat(497) }));
  console.log(
    `peak memory of writing ${MANY} entries of 500 bytes: ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`,
  );
} else {
  await compareLoops();
  await largeState();
  spawnSync(process.execPath, [process.argv[1]!, String(MANY), 'memory'], { stdio: 'inherit' });
}
rmSync(directory, { recursive: true });
