import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ScriptHost } from '../../src/host/script-host.js';
import { MACHINE, runScript, scriptHost } from '../host/script-runs.js';

const SCRIPTS = fileURLToPath(new URL('conformance/', import.meta.url));

/** The stand-alone interpreter that the output is compared with, or undefined where it is not installed. */
const native = spawnSync('lua5.4', ['-v']).error === undefined ? 'lua5.4' : undefined;

let host: ScriptHost;
let dir: string;
beforeAll(() => {
  host = scriptHost({ warm: true, machine: { ...MACHINE, sandbox: { ...MACHINE.sandbox, processSpawn: true } } });
  dir = mkdtempSync(join(tmpdir(), 'llmspell-conformance-'));
});
afterAll(async () => {
  await host.close();
  rmSync(dir, { recursive: true });
});

describe.each(readdirSync(SCRIPTS))('%s', (name) => {
  const path = join(SCRIPTS, name);

  it('runs to its end', async () => {
    const { error } = await runScript(host, { path, args: [dir] });
    expect(error && `${error.message}\n${error.traceback}`).toBeUndefined();
  });

  // A notice, not a failure: elsewhere the scripts still run, but nothing tells what they should print.
  it.skipIf(native === undefined)('prints what lua5.4 prints', async () => {
    const { text } = await runScript(host, { path, args: [dir] });
    const expected = execFileSync('sh', ['-c', `${native} "$0" "$1" 2>&1`, path, dir]).toString('latin1');
    expect(text.split('\n')).toEqual(expected.split('\n'));
  });
});
