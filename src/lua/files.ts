import { closeSync, fstatSync, readSync, writeSync } from 'node:fs';
import { copyBytes } from '../util/bytes.js';
import { isErrno, SystemError } from './errno.js';

/** What an entry of the script's descriptor table can do. Failures are thrown with a `code`, as Node's own calls throw them. */
export interface OpenFile {
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

const BUFFER_BYTES = 64 * 1024;
/** What is at least as long goes past the buffer. */
const DIRECT_BYTES = 16 * 1024;
/** Allocating 64 kB for each open made opening and closing slow; a few buffers are kept for the next file. */
const KEPT_BUFFERS = 16;
const pool: Uint8Array[] = [];

/**
 * A file on disk. The VM's C library buffers 1 kB, so a larger buffer lies under it. It holds either bytes read ahead of the position,
 * or bytes still to be written before it, never both.
 */
export class DiskFile implements OpenFile {
  readonly #fd: number;
  readonly #append: boolean;
  /** Where the script is in the file: after what it has written, before what has been read ahead. */
  #position = 0;
  #buffer: Uint8Array | undefined;
  #start = 0;
  #end = 0;
  #writing = false;

  constructor(fd: number, append: boolean) {
    this.#fd = fd;
    this.#append = append;
  }

  read(into: Uint8Array): number {
    this.flush();
    if (this.#start === this.#end) {
      if (into.length >= DIRECT_BYTES) return this.#readDirectly(into);
      const buffer = this.#acquire();
      this.#start = 0;
      this.#end = readSync(this.#fd, buffer, 0, buffer.length, this.#position);
    }
    const n = Math.min(into.length, this.#end - this.#start);
    into.set(this.#buffer!.subarray(this.#start, this.#start + n));
    this.#start += n;
    this.#position += n;
    return n;
  }

  #readDirectly(into: Uint8Array): number {
    const n = readSync(this.#fd, into, 0, into.length, this.#position);
    this.#position += n;
    return n;
  }

  write(memory: Uint8Array, start: number, end: number, through: boolean): void {
    const length = end - start;
    if (!this.#writing) this.#start = this.#end = 0;
    this.#writing = true;
    if (this.#end + length > BUFFER_BYTES) this.#writeOut();
    if (this.#end === 0 && (through || length >= DIRECT_BYTES)) {
      this.#writeAll(memory, start, end);
      return;
    }
    copyBytes(memory, start, end, this.#acquire(), this.#end);
    this.#end += length;
    this.#position += length;
    if (through) this.#writeOut();
  }

  seek(offset: number, whence: number): number {
    this.flush();
    const base = whence === 0 ? 0 : whence === 1 ? this.#position : fstatSync(this.#fd).size;
    const target = base + offset;
    if (!Number.isSafeInteger(target) || target < 0) throw new SystemError('EINVAL');
    this.#start = this.#end = 0;
    this.#position = target;
    return target;
  }

  flush(): void {
    if (!this.#writing) return;
    this.#writeOut();
    this.#writing = false;
  }

  close(): void {
    try {
      this.flush();
    } finally {
      if (this.#buffer !== undefined && pool.length < KEPT_BUFFERS) pool.push(this.#buffer);
      this.#buffer = undefined;
      closeSync(this.#fd);
    }
  }

  #acquire(): Uint8Array {
    this.#buffer ??= pool.pop() ?? new Uint8Array(BUFFER_BYTES);
    return this.#buffer;
  }

  #writeOut(): void {
    const pending = this.#end;
    if (pending === 0) return;
    // Emptied first: what could not be written is lost and reported, not tried again at every later call.
    this.#position -= pending;
    this.#end = 0;
    this.#writeAll(this.#buffer!, 0, pending);
  }

  #writeAll(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const n = writeSync(this.#fd, bytes, at, end - at, this.#append ? null : this.#position);
      at += n;
      this.#position += n;
    }
    if (this.#append) this.#position = fstatSync(this.#fd).size;
  }
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
