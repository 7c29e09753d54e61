import { closeSync, fstatSync, readFileSync, readSync, writeSync } from 'node:fs';
import { isErrno, SystemError } from './errno.js';

/** What an entry of the script's descriptor table can do. Failures are thrown with a `code`, as Node's own calls throw them. */
export interface OpenFile {
  /** How many bytes are worth reading ahead now. Where it is told, the C library gets a large buffer. */
  readonly ahead?: number;
  /** Bytes from the position to the end, where that is known. */
  readonly remaining?: number;
  /** Fills `into` from its start; 0 is the end of the file. May return less than asked for. */
  read(into: Uint8Array): number;
  /**
   * Takes all bytes from `start` to `end` of the machine's memory. (Not a view of them: making one costs more than the rest of a short write.)
   *
   * @param through the script asked for the bytes to leave the process now: flushed, or unbuffered
   */
  write(memory: Uint8Array, start: number, end: number, through: boolean): void;
  /** Moves to `offset` bytes from the start (0), from here (1) or from the end (2); returns the new position. */
  seek(offset: number, whence: number): number;
  flush(): void;
  close(): void;
}

/** What the kernel reads from a disk at least. */
const LEAST_AHEAD_BYTES = 4096;
const MOST_AHEAD_BYTES = 32 * 1024;

/**
 * A file on disk, read and written from and to the machine's memory without a buffer between: the C library above has one
 * that is large enough.
 */
export class DiskFile implements OpenFile {
  /** Little where the script jumps about, more the longer it reads on. */
  ahead = LEAST_AHEAD_BYTES;
  readonly #fd: number;
  readonly #append: boolean;
  /** Null: where the kernel says it is, as long as the script only reads on. */
  #position: number | null;

  /** @param position null: the descriptor is not ours alone, and its position is where others left it and look for it */
  constructor(fd: number, append: boolean, position: 0 | null = 0) {
    this.#fd = fd;
    this.#append = append;
    this.#position = position;
  }

  get remaining(): number {
    return Math.max(0, fstatSync(this.#fd).size - (this.#position ?? positionOf(this.#fd) ?? Number.POSITIVE_INFINITY));
  }

  read(into: Uint8Array): number {
    const n = readSync(this.#fd, into, 0, into.length, this.#position);
    if (this.#position !== null) this.#position += n;
    this.ahead = Math.min(this.ahead * 2, MOST_AHEAD_BYTES);
    return n;
  }

  write(memory: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const n = writeSync(this.#fd, memory, at, end - at, this.#append ? null : this.#position);
      at += n;
      if (this.#position !== null) this.#position += n;
    }
    if (this.#append) this.#position = fstatSync(this.#fd).size;
  }

  seek(offset: number, whence: number): number {
    const present = this.#position ?? positionOf(this.#fd);
    if (present === undefined) throw new SystemError('ESPIPE');
    const base = whence === 0 ? 0 : whence === 1 ? present : fstatSync(this.#fd).size;
    const target = base + offset;
    if (!Number.isSafeInteger(target) || target < 0) throw new SystemError('EINVAL');
    if (target === present) return target;
    this.ahead = LEAST_AHEAD_BYTES;
    this.#position = target;
    return target;
  }

  flush(): void {}

  close(): void {
    closeSync(this.#fd);
  }
}

/** Where the kernel has a descriptor's position; Node cannot ask for it. Only on Linux, elsewhere it is not told. */
function positionOf(fd: number): number | undefined {
  try {
    return Number(/^pos:\t(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]);
  } catch {
    return undefined;
  }
}

/** This process's stdin, where it is a file on disk. It stays open: others read from it too. */
export class StdinFile extends DiskFile {
  constructor() {
    super(0, false, null);
  }

  override write(): void {
    throw new SystemError('EBADF');
  }

  override close(): void {}
}

/**
 * A named pipe or a device, opened without blocking. Waiting is done here, in short sleeps, because a thread that sleeps in
 * `Atomics.wait` can be ended from outside at once, and one that sleeps in `read` cannot.
 */
export class StreamFile implements OpenFile {
  readonly #fd: number;
  /** A pipe that nobody has opened for writing yet reads as ended; until the first byte that means: wait. */
  #awaitsWriter: boolean;

  constructor(fd: number, isPipe: boolean) {
    this.#fd = fd;
    this.#awaitsWriter = isPipe;
  }

  read(into: Uint8Array): number {
    return untilReady(() => {
      const n = readSync(this.#fd, into, 0, into.length, null);
      if (n === 0 && this.#awaitsWriter) throw new SystemError('EAGAIN');
      this.#awaitsWriter = false;
      return n;
    });
  }

  write(memory: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; ) at += untilReady(() => writeSync(this.#fd, memory, at, end - at, null));
  }

  seek(): number {
    throw new SystemError('ESPIPE');
  }

  flush(): void {}

  close(): void {
    closeSync(this.#fd);
  }
}

const LONGEST_SLEEP_MS = 16;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Tries until the call no longer says that it would block (`EAGAIN`). */
export function untilReady<T>(call: () => T): T {
  for (let sleepMs = 1; ; sleepMs = Math.min(sleepMs * 2, LONGEST_SLEEP_MS)) {
    try {
      return call();
    } catch (error) {
      if (!isErrno(error, 'EAGAIN')) throw error;
    }
    Atomics.wait(sleeper, 0, 0, sleepMs);
  }
}
