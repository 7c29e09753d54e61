import type { OutputStream, OutputWriter } from '../channel/output.js';
import { LARGE_BUFFER_BYTES } from './c-file.js';
import { SystemError } from './errno.js';
import type { OpenFile } from './files.js';
import type { OutputBudget } from './limits.js';
import { ScriptExit } from './vm.js';

/** What a shell reports for a program that SIGPIPE ended: how `lua` ends when nobody reads its output any more. */
const BROKEN_PIPE_EXIT = 128 + 13;
const NEWLINE = 0x0a;

/** stdout or stderr of a script. */
export class OutputFile implements OpenFile {
  readonly #writer: OutputWriter;
  readonly #stream: OutputStream;
  readonly #budget: OutputBudget;
  /** When the host is asked to write at once: with every write (stderr), with every line (a terminal), or never, when it finds time. */
  eager: 'always' | 'lines' | 'never';
  /** Whether the last thing written ended its line. */
  isAtLineStart = true;

  constructor(writer: OutputWriter, stream: OutputStream, budget: OutputBudget, eager: OutputFile['eager']) {
    this.#writer = writer;
    this.#stream = stream;
    this.#budget = budget;
    this.eager = eager;
  }

  read(): number {
    throw new SystemError('EBADF');
  }

  write(memory: Uint8Array, start: number, end: number): void {
    this.#budget.spend(end - start);
    this.#writer.write(this.#stream, memory, start, end);
    if (end > start) this.isAtLineStart = memory[end - 1] === NEWLINE;
    if (this.#writer.closed) throw new ScriptExit(BROKEN_PIPE_EXIT);
    if (this.eager === 'always' || (this.eager === 'lines' && this.isAtLineStart)) this.#writer.push();
  }

  seek(): number {
    throw new SystemError('ESPIPE');
  }

  flush(): void {
    this.#writer.flush();
  }

  close(): void {
    this.#writer.flush();
  }
}

/** A stream of bytes that somebody else holds: the host's stdin, or a process's output. */
export class InputFile implements OpenFile {
  readonly ahead = LARGE_BUFFER_BYTES;
  readonly #next: () => Uint8Array;
  readonly #closed: () => void;
  #rest: Uint8Array = new Uint8Array();

  /**
   * @param next waits for more bytes and returns them; none at the end
   * @param closed called when the script closes the file
   */
  constructor(next: () => Uint8Array, closed: () => void = () => undefined) {
    this.#next = next;
    this.#closed = closed;
  }

  read(into: Uint8Array): number {
    if (this.#rest.length === 0) this.#rest = this.#next();
    const n = Math.min(into.length, this.#rest.length);
    into.set(this.#rest.subarray(0, n));
    this.#rest = this.#rest.subarray(n);
    return n;
  }

  write(): void {
    throw new SystemError('EBADF');
  }

  seek(): number {
    throw new SystemError('ESPIPE');
  }

  flush(): void {}

  close(): void {
    this.#closed();
  }
}
