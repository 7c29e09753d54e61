import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
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
let fifo: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'llmspell-limit-'));
  fifo = join(directory, 'pipe');
  execFileSync('mkfifo', [fifo]);
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

const TIMEOUT = {
  exitCode: 124,
  code: 'SCRIPT_TIMEOUT',
  message: `The script ran longer than ${LIMIT_SECONDS} seconds.`,
};

test('the time limit ends a script whatever it does', async () => {
  const scripts = Object.entries(endless(fifo));
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

test('what such scripts wrote is kept, and the next script runs', async () => {
  await ending('for i = 1, math.huge do State.set("count", i) end', { timeoutSeconds: 1.5 });
  const { text } = await ending('print(State.get("count") > 0, State.get("u"))', { timeoutSeconds: 20 });
  expect(text).toBe('true\tnil\n');
});
