// Runs scripts whose machines die, one way after the other, and prints how they died and how much memory this process held before and after. Runs
// on the build; needs `--expose-gc`, and `breaking.cjs` preloaded.
import { setTimeout as delay } from 'node:timers/promises';
import { ScriptHost } from '../../dist/host/script-host.js';

const MEBIBYTE = 2 ** 20;
const limits = {
  memoryBytes: 24 * MEBIBYTE,
  maxInstructions: 0,
  maxOutputBytes: 1000,
  maxValueBytes: 1e6,
  maxValueDepth: 100,
};
const sandbox = { stdlib: 'full', fileAccess: true, allowedPaths: [], processSpawn: true, environment: {} };
const machine = { sandbox, limits, state: false, calls: [] };

/** Each with the code that it must end with. */
const DEATHS = [
  { source: 'os.time{year=7777, month=1, day=1}', code: 'SCRIPT_CRASHED' },
  { source: 'pcall(os.time, {year=7778, month=1, day=1})', code: 'SCRIPT_CRASHED' },
  { source: 'local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(100000) .. i end', code: 'SCRIPT_MEMORY' },
  { source: 'while true do pcall(function() while true do end end) end', code: 'SCRIPT_TIMEOUT', timeoutSeconds: 0.05 },
  { source: 'while true do pcall(print, ("x"):rep(99)) end', code: 'SCRIPT_OUTPUT' },
  {
    source: 'while true do end',
    code: 'SCRIPT_INSTRUCTIONS',
    machine: { ...machine, limits: { ...limits, maxInstructions: 1e5 } },
  },
  { source: 'os.execute("sleep 9")', code: 'SCRIPT_TIMEOUT', timeoutSeconds: 0.05 },
  { source: 'F = {} for i = 1, 99 do F[i] = io.open("/dev/null") end error("over")', code: 'SCRIPT_ERROR' },
  { source: 'while true do end', code: 'ABORTED', abort: true },
];

const LOOKS = 10;
const [count] = process.argv.slice(2).map(Number);
const host = new ScriptHost({ machine, timeoutSeconds: 20, maxConcurrentScripts: 2, warm: true });

async function die(i) {
  const { code, abort, ...run } = DEATHS[i % DEATHS.length];
  const signal = abort ? AbortSignal.timeout(20) : undefined;
  // A signal that comes before the script has started is told by an exception.
  const { error } = await host.run({ ...run, signal, output: () => undefined }).catch((thrown) => ({ error: thrown }));
  if (error?.code !== code) throw new Error(`${run.source}: ${error?.code}: ${error?.message}`);
}

async function dieTimes(times) {
  for (let i = 0; i < times; i += 2) await Promise.all([die(i), die(i + 1)]);
  return await restingMebibytes();
}

/** Threads that were told to end may still be on their way, each with a machine's memory: the least of some looks. */
async function restingMebibytes() {
  const looks = [];
  for (let i = 0; i < LOOKS; i++) {
    await delay(100);
    gc();
    looks.push(process.memoryUsage().rss / MEBIBYTE);
  }
  return Math.min(...looks);
}

// What the allocator keeps for the next thread is no leak: it is there after the first tenth.
const before = await dieTimes(Math.max(2 * DEATHS.length, count / 10));
const after = await dieTimes(count);
const printed = [];
// The process is alive and runs the next script.
await host.run({ source: 'print("alive")', output: (_, bytes) => void printed.push(bytes) });
console.log(JSON.stringify({ count, before, after, text: Buffer.concat(printed).toString() }));
await host.close();
