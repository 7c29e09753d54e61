import { spawn } from 'node:child_process';
import { mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../bin/llmspell.js', import.meta.url));

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string>;
  stdin?: string;
}

/** A directory of its own, with the command run in it: no configuration from anywhere else is found. */
export async function workspace() {
  const cwd = await realpath(await mkdtemp(join(tmpdir(), 'llmspell-cli-')));
  const start = (args: string[], { env = {} }: RunOptions = {}) =>
    spawn(process.execPath, [BIN, ...args], {
      cwd,
      env: { PATH: process.env.PATH, HOME: cwd, XDG_CONFIG_HOME: join(cwd, '.config'), ...env },
    });
  const run = (args: string[], options: RunOptions = {}): Promise<Finished> => {
    const child = start(args, options);
    child.stdin.on('error', () => {}).end(options.stdin ?? '');
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
  };
  return { bin: BIN, cwd, start, run };
}

export type Workspace = Awaited<ReturnType<typeof workspace>>;
