import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs';
import { isErrno, SystemError } from './errno.js';
import { DiskFile, type OpenFile, StreamFile, untilReady } from './files.js';

/**
 * The file system as a script may use it: the only way from the VM to `node:fs`. Paths are bytes, as Lua's strings and Linux's
 * file names are. Failures are thrown with a `code`; what a wall refuses is `EPERM`.
 */
export interface FileAccess {
  /** @param flags those of `open(2)` on Linux, which the VM's C library shares */
  open(path: Buffer, flags: number, mode: number): OpenFile;
  unlink(path: Buffer): void;
  rmdir(path: Buffer): void;
  rename(from: Buffer, to: Buffer): void;
  readlink(path: Buffer): Buffer;
}

/** The flags that the C library may ask for; others are not passed on. */
const {
  O_ACCMODE = 3,
  O_WRONLY,
  O_RDWR,
  O_CREAT,
  O_EXCL,
  O_TRUNC,
  O_APPEND,
  O_NONBLOCK,
  O_NOCTTY,
} = constants as typeof constants & { O_ACCMODE?: number };
const ASKED_FOR = O_ACCMODE | O_WRONLY | O_RDWR | O_CREAT | O_EXCL | O_TRUNC | O_APPEND;
/** Never wait inside `open`, and never make a terminal the controlling one. */
const ALWAYS = O_NONBLOCK | O_NOCTTY;

export const openFlags = (asked: number): number => (asked & ASKED_FOR) | ALWAYS;

export function openFileOf(fd: number, stats: Stats, flags: number): OpenFile {
  return stats.isFile() || stats.isDirectory()
    ? new DiskFile(fd, (flags & O_APPEND) !== 0)
    : new StreamFile(fd, stats.isFIFO());
}

/** Closes the descriptor again where `look` throws. */
export function lookAt<T>(fd: number, look: (fd: number) => T): T {
  try {
    return look(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * Every file that the user's account can reach, but for one thing: what `/proc` says of single processes. `/proc/self/mem` is this
 * process's memory; through it a script could do what no other wall lets it do.
 */
export const wholeFileSystem: FileAccess = {
  open(path, flags, mode) {
    const fd = openWaiting(path, openFlags(flags), mode);
    return lookAt(fd, () => {
      const stats = fstatSync(fd);
      if (stats.dev === procDevice()) refuseProcesses(fd);
      return openFileOf(fd, stats, flags);
    });
  },
  unlink: (path) => unlinkSync(path),
  rmdir: (path) => rmdirSync(path),
  rename: (from, to) => renameSync(from, to),
  readlink: (path) => readlinkSync(path, { encoding: 'buffer' }),
};

// A named pipe opened for writing waits for its reader, as it would without O_NONBLOCK.
function openWaiting(path: Buffer, flags: number, mode: number): number {
  return untilReady(() => {
    try {
      return openSync(path, flags, mode);
    } catch (error) {
      if (isErrno(error, 'ENXIO') && statSync(path).isFIFO()) throw new SystemError('EAGAIN');
      throw error;
    }
  });
}

let device: number | undefined;

/** The device number of `/proc`, or -1 where there is none. */
function procDevice(): number {
  device ??= statSync('/proc', { throwIfNoEntry: false })?.dev ?? -1;
  return device;
}

function refuseProcesses(fd: number): void {
  if (/^\/proc\/\d/.test(readlinkSync(`/proc/self/fd/${fd}`))) throw new SystemError('EPERM');
}

const refuse = (): never => {
  throw new SystemError('EPERM');
};

/** No file at all. */
export const noFiles: FileAccess = { open: refuse, unlink: refuse, rmdir: refuse, rename: refuse, readlink: refuse };
