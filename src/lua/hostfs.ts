import type { Pointer } from './api.js';
import {
  BUFFER_OFFSET,
  type CFile,
  hasStockBuffer,
  LARGE_BUFFER_BYTES,
  STOCK_BUFFER_BYTES,
  setBuffer,
} from './c-file.js';
import { ERRNO, errnoNumber, SystemError } from './errno.js';
import type { FileAccess } from './file-access.js';
import type { OpenFile } from './files.js';
import { type ImportPatch, type LuaVm, ScriptExit, Unwind, type VmImports } from './vm.js';

/** Descriptors 0, 1 and 2. */
export interface StandardStreams {
  stdin: OpenFile;
  stdout: OpenFile;
  stderr: OpenFile;
}

const MOST_OPEN_FILES = 1000;
/** An entry of the script's descriptor table. */
interface Descriptor {
  file: OpenFile;
  /** The large buffer that the C library has over it; 0: its own. */
  buffer: Pointer;
}

/**
 * The system calls of the VM's C library, answered by the real machine: stock `io`, `os`, `require`, `dofile` and `loadfile` work
 * on top of it. Every call goes through a {@link FileAccess}, which decides what the script may touch.
 */
export class HostFs {
  readonly access: FileAccess;
  /** The C library's own file for descriptor 0, which `fopen` did not make. */
  stdin: CFile = 0;
  readonly #environment: readonly Uint8Array[];
  readonly #descriptors = new Map<number, Descriptor>();
  /** Buffers of closed files, for the next ones. */
  readonly #freeBuffers: Pointer[] = [];
  #vm!: LuaVm;
  #next: OpenFile | undefined;

  constructor(access: FileAccess, streams: StandardStreams, environment: Readonly<Record<string, string>>) {
    this.access = access;
    this.#environment = Object.entries(environment).map(([name, value]) => Buffer.from(`${name}=${value}\0`));
    [streams.stdin, streams.stdout, streams.stderr].forEach((file, fd) => {
      this.#descriptors.set(fd, { file, buffer: 0 });
    });
  }

  /** Puts the calls in place of the loader's own. */
  readonly patch: ImportPatch = (imports, vm) => {
    this.#vm = vm;
    Object.assign(imports.env!, this.#system());
    Object.assign(imports.wasi_snapshot_preview1!, this.#wasi());
  };

  /** Has the next file that is opened, whatever its name, be this one. */
  openNext(file: OpenFile): void {
    this.#next = file;
  }

  #open(path: Buffer, flags: number, mode: number): number {
    const file = this.#next;
    this.#next = undefined;
    return this.#add(file ?? this.access.open(path, flags, mode));
  }

  #add(file: OpenFile): number {
    if (this.#descriptors.size >= MOST_OPEN_FILES) {
      file.close();
      throw new SystemError('EMFILE');
    }
    let fd = 3;
    while (this.#descriptors.has(fd)) fd++;
    this.#descriptors.set(fd, { file, buffer: 0 });
    return fd;
  }

  /** Has descriptor 0 be another file. Before anything was read from it. */
  replaceStdin(file: OpenFile): void {
    this.#descriptors.set(0, { file, buffer: 0 });
  }

  /** As `lseek`; throws what it fails with. */
  seek(fd: number, offset: number, whence: number): number {
    return this.#descriptor(fd).file.seek(offset, whence);
  }

  /** How much there is still to be read from a descriptor, as far as that can be told. */
  remainingBytes(fd: number): number {
    return this.#descriptors.get(fd)?.file.remaining ?? 0;
  }

  /** Returns when all that the script has printed is written: what is printed by others after that comes after it. */
  flushOutput(): void {
    for (const fd of [1, 2]) this.#descriptors.get(fd)?.file.flush();
  }

  /** Writes everything out and closes all files. What cannot be written is lost, as it is when a process ends. */
  close(): void {
    attempt(() => this.#vm.lua.fflush(0));
    // The standard streams last: they may wait for whoever reads them.
    const files = [...this.#descriptors.values()].reverse();
    this.#descriptors.clear();
    for (const { file } of files) attempt(() => file.close());
  }

  #descriptor(fd: number): Descriptor {
    const descriptor = this.#descriptors.get(fd);
    if (descriptor === undefined) throw new SystemError('EBADF');
    return descriptor;
  }

  #release(fd: number): void {
    const { file, buffer } = this.#descriptor(fd);
    this.#descriptors.delete(fd);
    // What the C library had in it is written, and it does not look at it again.
    if (buffer !== 0) this.#freeBuffers.push(buffer);
    file.close();
  }

  /**
   * Puts a large buffer in the place of the one that the C library has given a file: a call of ours costs what twenty of a native
   * program cost. Returns whether it did.
   */
  #enlarge(fd: number, descriptor: Descriptor, buffer: Pointer): boolean {
    if (descriptor.buffer !== 0 || descriptor.file.ahead === undefined) return false;
    const file = fd === 0 ? this.stdin : buffer - BUFFER_OFFSET;
    if (!hasStockBuffer(this.#vm, file, buffer, fd)) return false;
    const large = this.#freeBuffers.pop() ?? this.#vm.lua.malloc(LARGE_BUFFER_BYTES);
    if (large === 0) return false;
    descriptor.buffer = large;
    setBuffer(this.#vm, file, large, LARGE_BUFFER_BYTES);
    return true;
  }

  // Returns a result, or the negative error number.
  #system(): VmImports[string] {
    const { access } = this;
    const calls: Record<string, SystemCall> = {
      __syscall_openat: (_directory, path, flags, more) =>
        this.#open(this.#path(path), flags, more === 0 ? 0 : this.#vm.u32[more >> 2]!),
      __syscall_unlinkat: (_directory, path) => access.unlink(this.#path(path)),
      __syscall_rmdir: (path) => access.rmdir(this.#path(path)),
      __syscall_renameat: (_from, from, _to, to) => access.rename(this.#path(from), this.#path(to)),
      __syscall_readlinkat: (_directory, path, into, size) =>
        this.#fill(into, size!, access.readlink(this.#path(path))),
      // The only user is `freopen`, and its only user is Lua's loader once it sees a binary chunk: refused, wherever it came from.
      __syscall_dup3: () => -ERRNO.EPERM,
      // Descriptor flags mean nothing here.
      __syscall_fcntl64: (fd) => this.#descriptor(fd),
      // Only asked whether stdout is a terminal, for buffering; terminals are the host's matter.
      __syscall_ioctl: () => -ERRNO.ENOTTY,
    };
    return { ...mapValues(calls, (call) => answering(call, -1)), exit: (code: number) => this.#exit(code) };
  }

  // Returns 0 or the error number; results go through pointers.
  #wasi(): VmImports[string] {
    const calls: Record<string, SystemCall> = {
      fd_write: (fd, vectors, count, written) => this.#write(fd, vectors, count, written),
      fd_read: (fd, vectors, count, read) => this.#read(fd, vectors, count, read),
      fd_seek: (fd, offset, whence, result) => this.#seek(fd, Number(offset), whence, result),
      fd_close: (fd) => this.#release(fd),
      environ_sizes_get: (count, size) => this.#environmentSize(count, size),
      environ_get: (pointers, bytes) => this.#copyEnvironment(pointers, bytes),
    };
    return mapValues(calls, (call) => answering(call, 1));
  }

  #environmentSize(count: number, size: number): void {
    this.#vm.u32[count >> 2] = this.#environment.length;
    this.#vm.u32[size >> 2] = this.#environment.reduce((sum, entry) => sum + entry.length, 0);
  }

  #copyEnvironment(pointers: number, bytes: number): void {
    this.#environment.reduce((at, entry, i) => {
      this.#vm.u32[(pointers >> 2) + i] = at;
      this.#vm.u8.set(entry, at);
      return at + entry.length;
    }, bytes);
  }

  #seek(fd: number, offset: number, whence: number, result: number): void {
    const position = this.seek(fd, offset, whence);
    this.#vm.u32[result >> 2] = position >>> 0;
    this.#vm.u32[(result >> 2) + 1] = Math.floor(position / 2 ** 32);
  }

  // musl gives two pieces: what its buffer holds, and what did not fit into it.
  #write(fd: number, vectors: number, count: number, written: number): void {
    const descriptor = this.#descriptor(fd);
    const { u8, u32 } = this.#vm;
    const first = vectors >> 2;
    let total = 0;
    for (let i = 0; i < count; i++) total += u32[first + 2 * i + 1]!;
    // fflush writes its buffer and nothing after it; an unbuffered write has nothing before it. Both are to leave at once.
    // What remains is the C library's buffer running over, which the file may go on collecting.
    const overflows = total > STOCK_BUFFER_BYTES && u32[first + 1] !== 0 && u32[first + 2 * count - 1] !== 0;
    for (let i = 0; i < count; i++) {
      const at = u32[first + 2 * i]!;
      const length = u32[first + 2 * i + 1]!;
      if (length > 0) descriptor.file.write(u8, at, at + length, !overflows);
    }
    if (overflows) this.#enlarge(fd, descriptor, u32[first]!);
    this.#vm.u32[written >> 2] = total;
  }

  // musl gives two pieces: what was asked for but for its last byte, and its buffer, of which it takes that byte.
  #read(fd: number, vectors: number, count: number, read: number): void {
    const descriptor = this.#descriptor(fd);
    const last = (vectors >> 2) + 2 * (count - 1);
    const enlarged = this.#enlarge(fd, descriptor, this.#vm.u32[last]!);
    const { u8, u32 } = this.#vm;
    if (enlarged) {
      u32[last] = descriptor.buffer;
      u32[last + 1] = LARGE_BUFFER_BYTES;
    }
    u32[last + 1] = Math.min(u32[last + 1]!, descriptor.file.ahead ?? LARGE_BUFFER_BYTES);
    let total = 0;
    for (let i = vectors >> 2; i <= last; i += 2) {
      const at = u32[i]!;
      const wanted = u32[i + 1]!;
      const n = wanted === 0 ? 0 : descriptor.file.read(u8.subarray(at, at + wanted));
      total += n;
      if (n < wanted) break;
    }
    u32[read >> 2] = total;
  }

  #path(at: number): Buffer {
    const { u8 } = this.#vm;
    return Buffer.from(u8.subarray(at, u8.indexOf(0, at)));
  }

  #fill(into: number, size: number, bytes: Uint8Array): number {
    const part = bytes.subarray(0, size);
    this.#vm.u8.set(part, into);
    return part.length;
  }

  #exit(code: number): never {
    this.close();
    throw new ScriptExit(code & 0xff);
  }
}

function attempt(step: () => void): void {
  try {
    step();
  } catch (error) {
    if (error instanceof Unwind) throw error;
  }
}

type SystemCall = (a: number, b: number, c: number, d: number) => unknown;

/** What the C library gets: the call's result (0 where it has none), or the error number with the sign it expects. An exception that ends the script goes on. */
function answering(call: SystemCall, sign: 1 | -1): (a: number, b: number, c: number, d: number) => number {
  return (a, b, c, d) => {
    try {
      const result = call(a, b, c, d);
      return typeof result === 'number' ? result : 0;
    } catch (error) {
      if (error instanceof Unwind) throw error;
      return sign * errnoNumber(error);
    }
  };
}

function mapValues<A, B>(from: Record<string, A>, to: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(from).map(([name, value]) => [name, to(value)]));
}
