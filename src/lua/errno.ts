import { constants } from 'node:os';

/** Error numbers as the VM's C library knows them: those of WASI preview 1 (`__wasi_errno_t`), not this system's. */
export const ERRNO = {
  E2BIG: 1,
  EACCES: 2,
  EAGAIN: 6,
  EBADF: 8,
  EBUSY: 10,
  EDQUOT: 19,
  EEXIST: 20,
  EFBIG: 22,
  EINTR: 27,
  EINVAL: 28,
  EIO: 29,
  EISDIR: 31,
  ELOOP: 32,
  EMFILE: 33,
  EMLINK: 34,
  ENAMETOOLONG: 37,
  ENFILE: 41,
  ENODEV: 43,
  ENOENT: 44,
  ENOMEM: 48,
  ENOSPC: 51,
  ENOSYS: 52,
  ENOTDIR: 54,
  ENOTEMPTY: 55,
  ENOTTY: 59,
  ENXIO: 60,
  EPERM: 63,
  EPIPE: 64,
  EROFS: 69,
  ESPIPE: 70,
  ETXTBSY: 74,
  EXDEV: 75,
} as const;

export type Errno = keyof typeof ERRNO;

const NAMES = new Map(Object.entries(ERRNO).map(([name, number]) => [number as number, name]));

/** The number that this system has for one of those: what scripts are told. */
export function systemErrno(number: number): number {
  const name = NAMES.get(number);
  return name === undefined ? number : ((constants.errno as Record<string, number>)[name] ?? number);
}

/** A system call that failed inside the shim; only its `code` is used, as with the errors that Node's own calls throw. */
export class SystemError extends Error {
  readonly code: Errno;
  constructor(code: Errno) {
    super(code);
    this.code = code;
  }
}

/** The number for what a system call threw. A failure without a known name counts as an input/output error. */
export function errnoNumber(error: unknown): number {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return (ERRNO as Record<string, number | undefined>)[code ?? ''] ?? ERRNO.EIO;
}

export const isErrno = (error: unknown, code: Errno): boolean => (error as NodeJS.ErrnoException | null)?.code === code;
