import { copyBytes } from '../util/bytes.js';

/**
 * What a script prints, on its way from the worker to the host: a ring in shared memory that the worker fills and the host empties.
 * Because the memory is shared, nothing that was printed is lost when the worker is terminated, and because the host does the writing,
 * a reader that does not read can stop the script but never the host. One writer, one reader, no locks.
 */

/** The two streams by their usual numbers. */
export type OutputStream = 1 | 2;

const CAPACITY = 64 * 1024;

/** Cells before the bytes. The counts of bytes ever written and taken wrap at 2³², a multiple of the capacity. */
const WRITTEN = 0;
const TAKEN = 1;
/** Which stream the bytes between TAKEN and WRITTEN belong to: never more than one, so that their order is kept. */
const STREAM = 2;
/** 1 once nobody reads any more. */
const CLOSED = 3;
const HEADER_BYTES = 16;

export const createOutputMemory = (): SharedArrayBuffer => new SharedArrayBuffer(HEADER_BYTES + CAPACITY);

abstract class Ring {
  protected readonly cells: Int32Array;
  protected readonly bytes: Uint8Array;

  constructor(memory: SharedArrayBuffer) {
    this.cells = new Int32Array(memory, 0, HEADER_BYTES / 4);
    this.bytes = new Uint8Array(memory, HEADER_BYTES);
  }

  /** Bytes written and not yet taken. */
  get pending(): number {
    return (Atomics.load(this.cells, WRITTEN) - Atomics.load(this.cells, TAKEN)) >>> 0;
  }

  get closed(): boolean {
    return this.cells[CLOSED] === 1;
  }
}

/** The worker's end. */
export class OutputWriter extends Ring {
  readonly #wake: () => void;
  /** Only this side changes them, so it need not read them back. */
  #written = 0;
  #stream: OutputStream | undefined;

  /** @param wake asks the host to take what there is; may be called often */
  constructor(memory: SharedArrayBuffer, wake: () => void) {
    super(memory);
    this.#wake = wake;
  }

  /** Adds `bytes[start..end)`, waiting for the host where the ring is full. Once {@link closed}, they are dropped. */
  write(stream: OutputStream, bytes: Uint8Array, start = 0, end = bytes.length): void {
    if (this.#stream !== stream) this.#switchTo(stream);
    for (let at = start; at < end && !this.closed; ) {
      const pending = this.pending;
      const offset = (this.#written >>> 0) % CAPACITY;
      const length = Math.min(end - at, CAPACITY - pending, CAPACITY - offset);
      if (length === 0) this.#waitUntilTaken(CAPACITY);
      else {
        copyBytes(bytes, at, at + length, this.bytes, offset);
        this.#count(length, pending);
      }
      at += length;
    }
  }

  /** Asks the host to write now; does not wait for it. */
  push(): void {
    if (this.pending > 0) this.#wake();
  }

  /** Returns when the host has written everything. */
  flush(): void {
    while (this.pending > 0 && !this.closed) this.#waitUntilTaken(this.pending);
  }

  #switchTo(stream: OutputStream): void {
    this.flush();
    this.#stream = stream;
    Atomics.store(this.cells, STREAM, stream);
  }

  #count(length: number, pending: number): void {
    this.#written = (this.#written + length) | 0;
    // Stored after the bytes: what the host sees is complete, wherever the worker is stopped.
    Atomics.store(this.cells, WRITTEN, this.#written);
    // Half full: the host can write while the script goes on.
    if (pending < CAPACITY / 2 && pending + length >= CAPACITY / 2) this.#wake();
  }

  /** Waits while as many bytes as `pending` are still there. */
  #waitUntilTaken(pending: number): void {
    const taken = Atomics.load(this.cells, TAKEN);
    if (this.pending !== pending || this.closed) return;
    this.#wake();
    Atomics.wait(this.cells, TAKEN, taken);
  }
}

/** The host's end. */
export class OutputReader extends Ring {
  /** A copy of the next bytes and their stream; undefined where there are none. They count as taken after {@link taken}. */
  next(): { stream: OutputStream; bytes: Uint8Array } | undefined {
    const pending = this.pending;
    if (pending === 0) return undefined;
    const at = (Atomics.load(this.cells, TAKEN) >>> 0) % CAPACITY;
    const bytes = this.bytes.slice(at, Math.min(at + pending, CAPACITY));
    return { stream: Atomics.load(this.cells, STREAM) as OutputStream, bytes };
  }

  /** The bytes were written: makes room, and wakes the worker where it waits. */
  taken(byteCount: number): void {
    Atomics.add(this.cells, TAKEN, byteCount);
    Atomics.notify(this.cells, TAKEN);
  }

  /** Nobody reads any more; the worker is told, and stops waiting. */
  close(): void {
    Atomics.store(this.cells, CLOSED, 1);
    this.taken(this.pending);
  }
}
