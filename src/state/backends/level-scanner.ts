import { Worker } from 'node:worker_threads';
import { LlmspellError } from '../../errors.js';
import type { Bytes } from '../../util/bytes.js';
import type { KeyRange } from '../backend.js';
import { type ScanAnswer, type ScanRequest, type ScanStart, unpackPage } from './level-scan-protocol.js';

/** Of the thread's heap. With more of it, more of the buffers that pages are made from wait for the collector at the same time. */
const YOUNG_MIB = 12;
/** Read while those before them are used. With one of them the two threads waited for each other an eighth of the time. */
const PAGES_AHEAD = 3;

interface Waiting {
  resolve(page: ArrayBuffer | undefined): void;
  reject(error: Error): void;
}

/**
 * Reads long ranges on another thread: making the buffers of a page takes its time on the thread that asks for it, which would
 * hold up writers on this one. Here a page arrives as one block and only views of it are made.
 */
export class LevelScanner {
  readonly #worker: Worker;
  /** In the order of the requests. */
  readonly #waiting: Waiting[] = [];
  #failure: Error | undefined;
  #lastNumber = 0;

  constructor(directory: string) {
    const workerData: ScanStart = { directory };
    this.#worker = new Worker(new URL('../../../dist/state/backends/level-scan-worker.js', import.meta.url), {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
    });
    this.#worker.unref();
    this.#worker.on('message', ({ page, error }: ScanAnswer) => {
      const { resolve, reject } = this.#waiting.shift()!;
      if (error === undefined) resolve(page);
      else reject(new LlmspellError(error.code, error.message, { hint: error.hint }));
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () =>
      this.#fail(new LlmspellError('STATE_CLOSED', `The state in ${directory} is closed.`)),
    );
  }

  /** What the store holds now; nothing may be committed until this resolves with the snapshot's number. */
  async snapshot(): Promise<number> {
    const snapshot = ++this.#lastNumber;
    await this.#ask({ op: 'snapshot', snapshot });
    return snapshot;
  }

  async release(snapshot: number): Promise<void> {
    await this.#ask({ op: 'release', snapshot });
  }

  async *pages(snapshot: number, range: KeyRange): AsyncIterable<[Bytes, Bytes][]> {
    const scan = ++this.#lastNumber;
    await this.#ask({ op: 'begin', scan, snapshot, range });
    try {
      const ahead = Array.from({ length: PAGES_AHEAD }, () => this.#next(scan));
      for (;;) {
        const page = await ahead.shift()!;
        if (page === undefined) return;
        ahead.push(this.#next(scan));
        yield unpackPage(page);
      }
    } finally {
      await this.#ask({ op: 'end', scan }).catch(() => undefined);
    }
  }

  #next(scan: number): Promise<ArrayBuffer | undefined> {
    const page = this.#ask({ op: 'next', scan });
    // Awaited in its turn, or by nobody where the scan ends before.
    page.catch(() => undefined);
    return page;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  async #ask(request: ScanRequest): Promise<ArrayBuffer | undefined> {
    if (this.#failure !== undefined) throw this.#failure;
    // While an answer is awaited the process must not end.
    this.#worker.ref();
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.push({ resolve, reject });
        this.#worker.postMessage(request);
      });
    } finally {
      if (this.#waiting.length === 0) this.#worker.unref();
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}
