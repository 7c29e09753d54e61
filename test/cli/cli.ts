import { spawn } from 'node:child_process';
import { mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommandLine } from '../../src/cli/command-line.js';
import { checkDocument } from './json-schema.js';

const BIN = fileURLToPath(new URL('../../bin/llmspell.js', import.meta.url));

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string>;
  stdin?: string;
  /** Default: that of the workspace. */
  cwd?: string;
}

/** Runs a command line in this process, which starts ten times faster; for steps on the way to what a test is about. */
async function inProcess(cwd: string, args: string[]): Promise<Finished> {
  const [before, written] = [process.cwd(), { stdout: '', stderr: '' }];
  const restore = (['stdout', 'stderr'] as const).map((name) => {
    const { write } = process[name];
    process[name].write = ((part: string | Uint8Array, done?: () => void) => {
      written[name] += Buffer.from(part).toString();
      done?.();
      return true;
    }) as typeof write;
    return () => {
      process[name].write = write;
    };
  });
  process.chdir(cwd);
  process.env.XDG_CONFIG_HOME = join(cwd, '.config');
  try {
    const code = await runCommandLine(args, new AbortController().signal);
    return { code, ...written };
  } finally {
    process.chdir(before);
    for (const undo of restore) undo();
  }
}

/**
 * A directory of its own, with the command run in it: no configuration from anywhere else is found. Each JSON document that it prints is held
 * against its schema, unless `isChecked` is false.
 */
export async function workspace({ isChecked = true } = {}) {
  const cwd = await realpath(await mkdtemp(join(tmpdir(), 'llmspell-cli-')));
  const start = (args: string[], { env = {}, cwd: directory = cwd }: RunOptions = {}) =>
    spawn(process.execPath, [BIN, ...args], {
      cwd: directory,
      env: { PATH: process.env.PATH, HOME: cwd, XDG_CONFIG_HOME: join(cwd, '.config'), ...env },
    });
  const run = (args: string[], options: RunOptions = {}): Promise<Finished> => {
    const child = start(args, options);
    child.stdin.on('error', () => {}).end(options.stdin ?? '');
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    return new Promise((resolve, reject) =>
      child.on('close', (code) => {
        try {
          if (isChecked) checkDocument(args, stdout);
          resolve({ code, stdout, stderr });
        } catch (error) {
          reject(error as Error);
        }
      }),
    );
  };
  /** As `run`, in this process. */
  const call = async (...args: string[]): Promise<Finished> => {
    const finished = await inProcess(cwd, args);
    if (isChecked) checkDocument(args, finished.stdout);
    return finished;
  };
  /** What a command that must succeed prints. */
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await call(...args);
    if (code !== 0 || stderr !== '')
      throw new Error(`llmspell ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`);
    return stdout;
  };
  return { bin: BIN, cwd, start, run, call, ok };
}

export type Workspace = Awaited<ReturnType<typeof workspace>>;
