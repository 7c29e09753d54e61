import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endless, waiting } from '../../bench/endless.js';
import type { Host } from '../../src/host/host.js';
import { openHost } from '../../src/host/open-host.js';

// How late they end is measured by `npm run bench:limits`; here it is that they do.
const LIMIT_SECONDS = 0.5;

type Run = Partial<Parameters<Host['run']>[0]>;

let host: Host;
let directory: string;
let fifos: string[];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'llmspell-limit-'));
  fifos = ['written', 'read', 'required'].map((name) => join(directory, name));
  execFileSync('mkfifo', fifos);
  const runtime = { security: { allow_process_spawn: true }, state_persistence: { path: join(directory, 'state') } };
  host = await openHost({ directory, settings: { runtime: { ...runtime, max_concurrent_scripts: 6 } } });
});
afterAll(async () => {
  await host.close();
  rmSync(directory, { recursive: true });
});

/** How a script ends that would not. */
async function ending(source: string, run: Run = {}) {
  let text = '';
  const output = (_: number, bytes: Uint8Array) => {
    text += Buffer.from(bytes).toString('latin1');
  };
  const { exitCode, error } = await host.run({ source, timeoutSeconds: LIMIT_SECONDS, output, ...run });
  return { exitCode, code: error?.code, message: error?.message, text };
}

/** Undefined where it has been closed meanwhile. */
function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

const TIMEOUT = {
  exitCode: 124,
  code: 'SCRIPT_TIMEOUT',
  message: `The script ran longer than ${LIMIT_SECONDS} seconds.`,
};

test('the time limit ends a script whatever it does', async () => {
  const scripts = Object.entries(endless(fifos));
  const endings = await Promise.all(scripts.map(async ([name, source]) => [name, await ending(source)] as const));
  for (const [name, { text: _, ...how }] of endings) expect([name, how]).toEqual([name, TIMEOUT]);
});

test('it ends one that waits for a stdin that gives nothing, and for outputs that take nothing', async () => {
  const output = () => new Promise<void>(() => undefined);
  const [stdin, stdout, stderr] = await Promise.all([
    ending(waiting.stdin, { stdin: new Readable({ read() {} }) }),
    ending(waiting.stdout, { output }),
    ending(waiting.stderr, { output }),
  ]);
  for (const end of [stdin, stdout, stderr]) expect(end).toEqual({ ...TIMEOUT, text: '' });
});

test('a script that is ended with files open leaves none of them open', async () => {
  const opened = () => readdirSync('/proc/self/fd').map((fd) => linkOf(`/proc/self/fd/${fd}`));
  const name = join(directory, 'left-open');
  const end = await ending(`F = {} for i = 1, 50 do F[i] = io.open("${name}", "w") end while true do end`);
  expect(end).toEqual({ ...TIMEOUT, text: '' });
  expect(existsSync(name)).toBe(true);
  expect(opened()).not.toContain(name);
});

test('what such scripts wrote is kept, and the next script runs', async () => {
  await ending('for i = 1, math.huge do State.set("count", i) end', { timeoutSeconds: 1.5 });
  const { text, message } = await ending('print(State.get("count") > 0, State.get("u"))', { timeoutSeconds: 20 });
  expect([message, text]).toEqual([undefined, 'true\tnil\n']);
});
