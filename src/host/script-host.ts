import { fstatSync, readFile } from 'node:fs';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import type { MachineSettings, ScriptFailure } from '../channel/start.js';
import { errnoOf, LlmspellError } from '../errors.js';
import type { Bytes } from '../util/bytes.js';
import { utf8 } from '../util/bytes.js';
import { monotonicMs } from '../util/clock.js';
import type { SessionOptions } from './console-service.js';
import type { OutputSink } from './output-pump.js';
import { processOutput } from './output-pump.js';
import { ScriptThread, type SessionSource } from './script-thread.js';
import type { TestOptions } from './test-service.js';

export interface ScriptHostOptions {
  machine: MachineSettings;
  /** How long a script may run; 0: as long as it likes. */
  timeoutSeconds: number;
  /** How many run at once; further ones wait their turn. */
  maxConcurrentScripts: number;
  /** Answers `State`; needed where `machine.state` is set. */
  service?: SessionSource;
  /** Keeps one started machine ready for the next run. Costs memory and a thread. Default false. */
  warm?: boolean;
  /** Told each script when its thread has been: what it will need may be loaded while the thread comes up. */
  expect?: (source: Bytes) => void;
}

export interface ScriptRun {
  /** The Lua text; or else `path`. */
  source?: string | Bytes;
  path?: string;
  /** What messages call it: `@name` for a file, `=name` for anything else. Default: `@<path>`, or `=(script)`. */
  chunkName?: string;
  /** `arg[0]`. Default: the path, or `(script)`. */
  scriptName?: string;
  /** `arg[1]`… and `...`. */
  args?: readonly string[];
  /** `arg[-1]` and below, as `lua` has there what stands before the script on its command line; the last is `arg[-1]`. Default: none. */
  wordsBefore?: readonly string[];
  /** Instead of the host's. */
  timeoutSeconds?: number;
  /** Instead of the host's; such a run does not use the warm machine. */
  machine?: MachineSettings;
  /** Ends the script: `ABORTED`. */
  signal?: AbortSignal;
  /** Where its output goes. Default: this process's stdout and stderr. */
  output?: OutputSink;
  /** What `io.read` reads. Default: this process's stdin. */
  stdin?: Readable;
  /** Goes on with lines after the script, as `lua -i` does. The time limit is then that of each line. */
  session?: SessionOptions;
  /** Runs the tests that the script describes, instead of the script alone. */
  tests?: TestOptions;
}

export interface ScriptResult {
  /** What a command should exit with: 0, what `os.exit` was given, or the error's exit code. */
  exitCode: number;
  /** Set where the script did not end by itself. */
  error?: ScriptFailure;
  durationMs: number;
}

/** Runs Lua scripts, each in a thread and a machine of its own. */
export class ScriptHost {
  readonly #options: ScriptHostOptions;
  readonly #queue: (() => void)[] = [];
  readonly #threads = new Set<ScriptThread>();
  #running = 0;
  #spare: ScriptThread | undefined;
  #closed = false;

  constructor(options: ScriptHostOptions) {
    this.#options = options;
    this.#warmUp();
  }

  /**
   * Runs a script to its end. Whatever the script does is told in the result; what it printed has been written when the promise resolves.
   * Rejects only where it could not be started: `SCRIPT_NOT_FOUND`, `ABORTED` while it waited for its turn, `STATE_CLOSED`.
   */
  async run(run: ScriptRun): Promise<ScriptResult> {
    const source = await sourceOf(run);
    await this.#turn(run.signal);
    try {
      return await this.#start(run, source);
    } finally {
      this.#running--;
      this.#queue.shift()?.();
    }
  }

  /** Ends all scripts and lets no new ones start. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const wake of this.#queue.splice(0)) wake();
    if (this.#spare !== undefined) this.#threads.add(this.#spare);
    await Promise.all([...this.#threads].map((thread) => thread.stop()));
  }

  async #start(run: ScriptRun, source: Bytes): Promise<ScriptResult> {
    const startedAt = monotonicMs();
    const thread = this.#takeThread(run);
    this.#threads.add(thread);
    try {
      const running = thread.run(
        {
          source,
          chunkName: run.chunkName ?? (run.path === undefined ? '=(script)' : `@${run.path}`),
          scriptName: run.scriptName ?? run.path ?? '(script)',
          args: run.args ?? [],
          ...(run.wordsBefore && { wordsBefore: run.wordsBefore }),
          stdinIsFile: run.stdin === undefined && stdinIsFile(),
          interactive: run.output === undefined && process.stdout.isTTY,
        },
        {
          output: run.output ?? processOutput,
          stdin: () => run.stdin ?? process.stdin,
          timeoutSeconds: run.timeoutSeconds ?? this.#options.timeoutSeconds,
          ...(run.signal && { signal: run.signal }),
          ...(run.session && { session: run.session }),
          ...(run.tests && { tests: run.tests }),
        },
      );
      setImmediate(() => this.#options.expect?.(source));
      const report = await running;
      return { ...report, durationMs: monotonicMs() - startedAt };
    } finally {
      this.#threads.delete(thread);
      this.#warmUp();
    }
  }

  #takeThread(run: ScriptRun): ScriptThread {
    const isPlain = run.machine === undefined && run.session === undefined && run.tests === undefined;
    const spare = isPlain ? this.#spare : undefined;
    if (spare === undefined)
      return new ScriptThread(machineFor(run, run.machine ?? this.#options.machine), this.#options.service);
    this.#spare = undefined;
    return spare;
  }

  #warmUp(): void {
    if (this.#options.warm !== true || this.#closed || this.#spare !== undefined) return;
    this.#spare = new ScriptThread(this.#options.machine, this.#options.service);
    this.#spare.unref();
  }

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    while (!this.#closed && signal?.aborted !== true && this.#running >= this.#options.maxConcurrentScripts)
      await this.#waitForTurn(signal);
    if (this.#closed) throw new LlmspellError('STATE_CLOSED', 'The script was not started: the host is closed.');
    if (signal?.aborted === true) throw new LlmspellError('ABORTED', 'The script was stopped before it started.');
    this.#running++;
  }

  #waitForTurn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal?.removeEventListener('abort', wake);
        const at = this.#queue.indexOf(wake);
        if (at >= 0) this.#queue.splice(at, 1);
        resolve();
      };
      this.#queue.push(wake);
      signal?.addEventListener('abort', wake);
    });
  }
}

/** Not where there is no stdin. */
function stdinIsFile(): boolean {
  try {
    return fstatSync(0).isFile();
  } catch {
    return false;
  }
}

let sessions = 0;

function machineFor({ session, tests }: ScriptRun, machine: MachineSettings): MachineSettings {
  const isTerminal = session?.terminal !== undefined;
  return {
    ...machine,
    ...(session && { console: { isTerminal, interruptName: `llmspell.interrupt.${++sessions}` } }),
    ...(tests && { tests: { filter: tests.filter ?? '' } }),
  };
}

const UNREADABLE: Partial<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  EACCES: 'it may not be read',
};

async function sourceOf({ source, path }: ScriptRun): Promise<Bytes> {
  if (source !== undefined) return typeof source === 'string' ? utf8(source) : source;
  if (path === undefined) throw new LlmspellError('USAGE', 'There is no script to run.');
  try {
    return await promisify(readFile)(path);
  } catch (error) {
    const errno = errnoOf(error) ?? String(error);
    const why = UNREADABLE[errno] ?? errno;
    throw new LlmspellError('SCRIPT_NOT_FOUND', `Cannot open ${path}: ${why}.`, { subject: path, cause: error });
  }
}
