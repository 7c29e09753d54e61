import { type RingBatch, RingReader } from '../channel/ring.js';
import { type LlmspellError, toLlmspellError } from '../errors.js';
import type { NameSet } from '../util/name-set.js';

/** How long to wait before looking into the ring again while something comes. */
const LOOK_MS = 1;
/** With so much in the ring there is no waiting. */
const BUSY_BYTES = 256 << 10;

/** Carries a script's writes from the shared ring to the store, in order, while the script runs and after it was ended. */
export class RingDrain {
  readonly #ring: RingReader;
  readonly #write: (batch: RingBatch) => Promise<unknown>;
  /** The end of the line of writes. */
  #line: Promise<unknown> = Promise.resolve();
  /** How many have not ended. */
  #underWay = 0;
  #isLooking = false;
  #isFinished = false;
  /** Of a write; the script is told once. */
  #failure: LlmspellError | undefined;
  #hasFailed = false;

  constructor(memory: SharedArrayBuffer, write: (batch: RingBatch) => Promise<unknown>) {
    this.#ring = new RingReader(memory);
    this.#write = write;
  }

  /** The script says that there is something. */
  wake(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#lookSoon();
  }

  /** Tells the script that somebody else changed the values of these names; without names: the state as a whole. */
  nextEpoch(names?: NameSet): void {
    this.#ring.nextEpoch(names);
  }

  /**
   * Resolves when everything put before the call is in the store; undefined where it is. Throws, once, the failure of a write since the last
   * call.
   */
  drained(): Promise<void> | undefined {
    return this.#failure === undefined && this.settled() === undefined ? undefined : this.#drained();
  }

  async #drained(): Promise<void> {
    await this.#takeAll();
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }

  /** As `drained`, without the failure: the script is told, not whoever waits here. Undefined where there is nothing to wait for. */
  settled(): Promise<void> | undefined {
    return this.#ring.pending === 0 && this.#underWay === 0 ? undefined : this.#takeAll();
  }

  /** As `drained`, for the last time. Call it when the worker has ended. */
  async finish(): Promise<void> {
    this.#isFinished = true;
    await this.drained();
  }

  async #takeAll(): Promise<void> {
    const end = this.#ring.written;
    await this.#inLine(async () => {
      while (await this.#takeBatch(end));
    });
  }

  /** Whether there was anything. */
  async #takeBatch(end: number): Promise<boolean> {
    try {
      if (this.#hasFailed) this.#ring.fail();
      const batch = this.#ring.take(end);
      if (batch !== undefined) await this.#write(batch);
      return batch !== undefined;
    } catch (error) {
      this.#hasFailed = true;
      this.#failure = toLlmspellError(error);
      this.#ring.fail();
      return false;
    }
  }

  async #inLine(work: () => Promise<unknown>): Promise<void> {
    this.#underWay++;
    const done = this.#line.then(work);
    this.#line = done;
    await done;
    this.#underWay--;
  }

  #lookSoon(): void {
    if (this.#ring.pending > BUSY_BYTES) setImmediate(() => void this.#look());
    else setTimeout(() => void this.#look(), LOOK_MS);
  }

  async #look(): Promise<void> {
    if (this.#isFinished) return;
    const wasEmpty = this.#ring.pending === 0;
    // One batch: other scripts and timers get their turn in between, however fast this one writes.
    await this.#inLine(() => this.#takeBatch(this.#ring.written));
    if (wasEmpty && this.#ring.sleep()) this.#isLooking = false;
    else this.#lookSoon();
  }
}
