import { OutputReader, type OutputStream } from '../channel/output.js';
import { errnoOf, LlmspellError } from '../errors.js';
import { monotonicMs } from '../util/clock.js';

/**
 * Where a script's output goes. May answer with a promise; the next bytes come after it. An exception with the code `EPIPE` means
 * that nobody reads any more.
 */
export type OutputSink = (stream: OutputStream, bytes: Uint8Array) => void | Promise<void>;

/** What writing to a broken pipe says; the second from the second time on. */
const NOBODY_READS: (string | undefined)[] = ['EPIPE', 'ERR_STREAM_DESTROYED'];
/** How long printed text may wait when the script does not ask for it to be written. */
const TICK_MS = 20;
/** How long a reader may take over what it was given, where the script was ended. */
const PATIENCE_MS = 250;
/** The least that it is given after the end: a script must end within 100 ms of its time limit although nobody reads what it printed. */
const LEAST_PATIENCE_MS = 50;
/** How long the pump may go on without letting this thread do anything else. */
const TURN_MS = 10;

/** Carries a script's output from the shared ring to a sink, while the script runs and after it was ended. */
export class OutputPump {
  readonly #ring: OutputReader;
  readonly #sink: OutputSink;
  readonly #before: (() => Promise<void> | undefined) | undefined;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #failure: LlmspellError | undefined;
  /** When the sink was last given something. */
  #givenAt = 0;

  /**
   * @param before awaited before anything is written: what the script did to the state before it printed is there for everybody who
   * reads what it printed
   */
  constructor(memory: SharedArrayBuffer, sink: OutputSink, before?: () => Promise<void> | undefined) {
    this.#ring = new OutputReader(memory);
    this.#sink = sink;
    this.#before = before;
    this.#timer = setInterval(() => this.pump(), TICK_MS);
  }

  /** Writes what there is. */
  pump(): void {
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
      // What came between the last look and now would otherwise wait for the next tick.
      if (this.#ring.pending > 0) this.pump();
    });
  }

  /**
   * Writes the rest. Call it when the worker has ended. What a reader does not take in a quarter of a second is dropped, and so is what it
   * has refused for that long already: a script that was ended from outside must end although nobody reads what it printed. (One that ends
   * by itself has waited for its output before.)
   *
   * @throws `SCRIPT_OUTPUT` where the sink failed; that nobody reads any more is no failure
   */
  async finish(): Promise<void> {
    clearInterval(this.#timer);
    await this.#restOrPatience();
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #rest(): Promise<void> {
    for (; this.#running !== undefined || this.#ring.pending > 0; await this.#running) this.pump();
  }

  /** Resolves when all is written, or when the sink has kept what it was given for too long. */
  async #restOrPatience(): Promise<void> {
    let giveUp!: () => void;
    const overdue = new Promise<void>((resolve) => {
      giveUp = resolve;
    });
    let timer: NodeJS.Timeout | undefined;
    const look = (givenBefore: number) => {
      const given = this.#givenAt;
      if (given === givenBefore) return giveUp();
      const left = Math.max(given + PATIENCE_MS - monotonicMs(), LEAST_PATIENCE_MS);
      timer = setTimeout(() => look(given), left);
    };
    look(-1);
    await Promise.race([this.#rest(), overdue]);
    clearTimeout(timer);
  }

  async #drain(): Promise<void> {
    try {
      let turn = monotonicMs();
      for (let part = this.#ring.next(); part !== undefined; part = this.#ring.next()) {
        const settling = this.#before?.();
        if (settling !== undefined) await settling;
        this.#givenAt = monotonicMs();
        const writing = this.#sink(part.stream, part.bytes);
        if (writing !== undefined) await writing;
        this.#ring.taken(part.bytes.length);
        // A script may print as fast as a file takes it: timers, the time limit among them, must have their turn.
        if (monotonicMs() - turn < TURN_MS) continue;
        await new Promise((resolve) => setImmediate(resolve));
        turn = monotonicMs();
      }
    } catch (error) {
      if (!NOBODY_READS.includes(errnoOf(error))) this.#failure = outputError(error);
      this.#ring.close();
    }
  }
}

function outputError(error: unknown): LlmspellError {
  if (error instanceof LlmspellError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new LlmspellError('SCRIPT_OUTPUT', `The script's output could not be written: ${message}.`, {
    hint: 'Check where the output goes; the script was stopped from printing more.',
    cause: error,
  });
}

/** This process's own stdout and stderr. */
export const processOutput: OutputSink = (stream, bytes) => {
  const target = stream === 1 ? process.stdout : process.stderr;
  return new Promise((resolve, reject) => {
    // Without a listener a broken pipe would be an uncaught exception of the whole process.
    target.once('error', reject);
    target.write(bytes, (error) => {
      if (error) return reject(error);
      target.off('error', reject);
      resolve();
    });
  });
};
