import type { Readable } from 'node:stream';
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import { createOutputMemory } from '../channel/output.js';
import { PROTOCOL_VERSION } from '../channel/protocol.js';
import { type Handlers, Responder } from '../channel/responder.js';
import { createRingMemory } from '../channel/ring.js';
import type { MachineSettings, RunReport, RunRequest, WorkerStart } from '../channel/start.js';
import { LlmspellError, toLlmspellError, toPlainError } from '../errors.js';
import type { ConsoleService, SessionOptions } from './console-service.js';
import { OutputPump, type OutputSink, processOutput } from './output-pump.js';
import type { ProcessService } from './process-service.js';
import { systemHandlers } from './system-service.js';
import { type TestOptions, testHandlers } from './test-service.js';
import { takeWorker } from './worker-thread.js';

/** Node's timers fire at once where they are to wait longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Answers what one script asks of whatever stands behind its `State`. */
export interface Session {
  readonly handlers: Handlers;
  /** Resolves when what the script has written is taken; undefined where it is. */
  settled(): Promise<void> | undefined;
  /** Lets the script go on with the state that `replace` puts in the place of this one; only where it runs tests. */
  renew?(replace: () => Promise<void>): Promise<void>;
  /** The script has ended. Throws what went wrong after it could be told. */
  close(): Promise<void>;
}

export interface SessionSource {
  /**
   * @param ring what the script writes into
   * @param signal gives what is aborted when the script has ended
   */
  session(ring: SharedArrayBuffer, signal: () => AbortSignal): Session;
}

export interface RunOptions {
  output: OutputSink;
  /** Called when the script first reads its stdin. */
  stdin: () => Readable;
  timeoutSeconds: number;
  signal?: AbortSignal;
  /** For a machine that reads lines: who types them. */
  session?: SessionOptions;
  /** For a machine that runs tests. */
  tests?: TestOptions;
}

/** A worker thread with one Lua machine in it, for one run. It is started at once and builds the machine while nobody needs it yet. */
export class ScriptThread {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #bell = new SharedArrayBuffer(4);
  readonly #output = createOutputMemory();
  readonly #ring = createRingMemory();
  readonly #settings: MachineSettings;
  readonly #service: SessionSource | undefined;
  readonly #ended: Promise<RunReport>;
  #end!: (report: RunReport) => void;
  /** The script came to its own end: nothing more will come from it. */
  #finished = false;
  #running: Promise<RunReport> | undefined;

  constructor(settings: MachineSettings, service?: SessionSource) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#settings = settings;
    this.#service = service;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const start: WorkerStart = {
      version: PROTOCOL_VERSION,
      port: port2,
      bell: this.#bell,
      output: this.#output,
      ring: this.#ring,
      settings,
    };
    this.#worker = takeWorker();
    this.#worker.postMessage(start, [port2]);
    this.#worker.once('message', (report: RunReport) => {
      this.#finished = true;
      this.#end(report);
    });
    this.#worker.once('error', (error) => this.#end(broken(error)));
    this.#worker.once('exit', () => this.#end(broken(undefined)));
  }

  /** Lets the process end although the thread waits for work. */
  unref(): void {
    this.#worker.unref();
  }

  /** Ends the script, or the waiting thread. */
  async stop(): Promise<void> {
    this.#end(stopped('ABORTED', 'The script was stopped: the host was closed.'));
    await this.#worker.terminate();
    await this.#running?.catch(() => undefined);
  }

  /**
   * Runs the script and tells how it ended. Afterwards the script is over, what it printed is written, and what it wrote is in the
   * state.
   */
  async run(request: RunRequest, options: RunOptions): Promise<RunReport> {
    this.#running = this.#run(request, options);
    return await this.#running;
  }

  async #run(request: RunRequest, options: RunOptions): Promise<RunReport> {
    const { output, stdin, timeoutSeconds, signal } = options;
    const ending = new AbortController();
    const processes = await this.#processes(output);
    const lines = await this.#lines(options, processes, ending.signal);
    const ends = () => lines?.signal ?? ending.signal;
    const session = this.#service?.session(this.#ring, ends);
    const pump = new OutputPump(this.#output, output, () => session?.settled());
    const responder = new Responder(this.#port, new Int32Array(this.#bell), {
      output: () => pump.pump(),
      ...systemHandlers(stdin, processes, ends),
      ...session?.handlers,
      ...lines?.handlers,
      ...(options.tests && testHandlers(options.tests, session)),
    });
    const release = this.#watch(lines ? 0 : timeoutSeconds, signal);
    this.#worker.ref();
    this.#worker.postMessage(request);
    const report = await this.#ended;
    release();
    lines?.close();
    ending.abort();
    // What a script leaves running goes on where the script ended as it should, and ends with it where it did not.
    if (report.error === undefined) processes?.release();
    else processes?.kill();
    const gone = this.#worker.terminate();
    // Taking a thread down takes 5 ms; only where the script was stopped can it still do something meanwhile.
    if (!this.#finished) await gone;
    responder.close();
    try {
      return await closed(session, report);
    } finally {
      await pump.finish();
    }
  }

  /** Loaded only where there are lines to run. */
  async #lines(
    { session, timeoutSeconds }: RunOptions,
    processes: ProcessService | null,
    ending: AbortSignal,
  ): Promise<ConsoleService | undefined> {
    const { console: settings } = this.#settings;
    if (session === undefined || settings === undefined) return undefined;
    const { ConsoleService } = await import('./console-service.js');
    const giveUp = () => this.#end(stopped('ABORTED', 'The running line could not be interrupted.'));
    return new ConsoleService({ ...session, settings, timeoutSeconds, processes, ending, giveUp });
  }

  /** Loaded only where it is allowed: Node's child processes take 4 ms to load. */
  async #processes(output: OutputSink): Promise<ProcessService | null> {
    const { processSpawn, environment } = this.#settings.sandbox;
    if (!processSpawn) return null;
    const { ProcessService } = await import('./process-service.js');
    return new ProcessService(output === processOutput ? { environment } : { environment, sink: output });
  }

  /** Ends the script when its time is up or the signal says so; whatever it is doing. Returns what stops watching. */
  #watch(timeoutSeconds: number, signal: AbortSignal | undefined): () => void {
    const abort = () => this.#end(stopped('ABORTED', 'The script was stopped from outside.'));
    const late = () =>
      this.#end(
        stopped(
          'SCRIPT_TIMEOUT',
          `The script ran longer than ${timeoutSeconds} second${timeoutSeconds === 1 ? '' : 's'}.`,
        ),
      );
    const timer = timeoutSeconds > 0 ? setTimeout(late, Math.min(timeoutSeconds * 1000, LONGEST_TIMER_MS)) : undefined;
    signal?.addEventListener('abort', abort);
    // It may have come since it was last looked at.
    if (signal?.aborted === true) abort();
    return () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    };
  }
}

/** A write that failed and that the script was not told of is how the script ended, where nothing else went wrong. */
async function closed(session: Session | undefined, report: RunReport): Promise<RunReport> {
  try {
    await session?.close();
    return report;
  } catch (cause) {
    const error = toLlmspellError(cause);
    return report.error === undefined ? { exitCode: error.exitCode, error: toPlainError(error) } : report;
  }
}

function stopped(code: 'ABORTED' | 'SCRIPT_TIMEOUT', message: string): RunReport {
  const error = new LlmspellError(code, message);
  return { exitCode: error.exitCode, error: toPlainError(error) };
}

function broken(cause: unknown): RunReport {
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  const error = new LlmspellError('SCRIPT_CRASHED', `The script's thread ended unexpectedly${why}.`, { cause });
  return { exitCode: error.exitCode, error: toPlainError(error) };
}
