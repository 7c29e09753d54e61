import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import type { OutputStream } from '../channel/output.js';
import type { ExitStatus } from '../channel/system.js';
import { LlmspellError } from '../errors.js';
import type { Bytes } from '../util/bytes.js';
import type { OutputSink } from './output-pump.js';
import { readSome } from './stream-reader.js';

/** What a shell reports for a command that could not be started. */
const CANNOT_START = 127;

export interface ProcessOptions {
  /** The environment of the processes; the same that the script sees. */
  environment: Readonly<Record<string, string>>;
  /** Where the processes print what the script does not read; without it, to this process's own stdout and stderr. */
  sink?: OutputSink;
}

interface Running {
  child: ChildProcess;
  ended: Promise<ExitStatus>;
}

/**
 * Runs the processes of one script (`os.execute`, `io.popen`) through `/bin/sh`. Each is the head of a process group of its own, so that
 * ending the script ends what they started too.
 */
export class ProcessService {
  readonly #options: ProcessOptions;
  readonly #running = new Map<number, Running>();
  #lastId = 0;

  constructor(options: ProcessOptions) {
    this.#options = options;
  }

  run(command: Bytes): Promise<ExitStatus> {
    return this.wait(this.#start(command, undefined));
  }

  open(command: Bytes, mode: 'r' | 'w'): number {
    return this.#start(command, mode);
  }

  read(id: number): Promise<Bytes> {
    return readSome(this.#get(id).child.stdout!);
  }

  write(id: number, bytes: Bytes): Promise<boolean> {
    const { stdin } = this.#get(id).child;
    return new Promise((resolve) => {
      stdin!.write(bytes, (error) => resolve(!error));
    });
  }

  /** Closes the pipe that {@link open} made. */
  hangUp(id: number): void {
    const { child } = this.#get(id);
    if (child.stdin === null) child.stdout!.destroy();
    else child.stdin.end();
  }

  async wait(id: number): Promise<ExitStatus> {
    const status = await this.#get(id).ended;
    this.#running.delete(id);
    return status;
  }

  /** Ends every process that still runs, with all its descendants. */
  kill(): void {
    for (const { child } of this.#running.values()) signalGroup(child, 'SIGKILL');
  }

  /** What Ctrl-C on a terminal sends to every process that still runs. */
  interrupt(): void {
    for (const { child } of this.#running.values()) signalGroup(child, 'SIGINT');
  }

  /** Lets the processes that still run go their own way: the script has ended as it should. */
  release(): void {
    for (const { child } of this.#running.values()) {
      child.stdin?.end();
      child.unref();
    }
  }

  #start(command: Bytes, mode: 'r' | 'w' | undefined): number {
    const printed = this.#options.sink === undefined ? 'inherit' : 'pipe';
    const child = spawn('/bin/sh', ['-c', Buffer.from(command).toString()], {
      stdio: [mode === 'w' ? 'pipe' : 'inherit', mode === 'r' ? 'pipe' : printed, printed],
      detached: true,
      env: this.#options.environment,
    });
    // Node throws away what nobody listens for once the process has ended.
    child.stdout?.on('readable', () => undefined);
    child.stderr?.on('readable', () => undefined);
    // Writing into a broken pipe is answered where it is written; the event must not end this process.
    child.stdin?.on('error', () => undefined);
    const forwarded = [this.#forward(1, mode === 'r' ? null : child.stdout), this.#forward(2, child.stderr)];
    const id = ++this.#lastId;
    this.#running.set(id, { child, ended: endOf(child, forwarded) });
    return id;
  }

  async #forward(stream: OutputStream, source: Readable | null): Promise<void> {
    if (source === null) return;
    for (let bytes = await readSome(source); bytes.length > 0; bytes = await readSome(source))
      await this.#options.sink!(stream, bytes);
  }

  #get(id: number): Running {
    const running = this.#running.get(id);
    if (running === undefined) throw new LlmspellError('INTERNAL', `No process ${id} is running.`);
    return running;
  }
}

/** Resolves when the process has ended and what it printed has arrived. */
async function endOf(child: ChildProcess, forwarded: Promise<void>[]): Promise<ExitStatus> {
  const status = await new Promise<ExitStatus>((resolve) => {
    child.once('error', () => resolve({ how: 'exit', code: CANNOT_START }));
    child.once('exit', (code, signal) =>
      resolve(
        signal === null ? { how: 'exit', code: code ?? 0 } : { how: 'signal', code: constants.signals[signal] ?? 0 },
      ),
    );
  });
  // A sink that fails is the output's failure, not the process's.
  await Promise.allSettled(forwarded);
  return status;
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Already gone.
  }
}
