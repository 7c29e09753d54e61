import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { resolve } from 'node:path';
import { isErrno, SystemError } from './errno.js';
import { type FileAccess, lookAt, openFileOf, openFlags } from './file-access.js';
import type { OpenFile } from './files.js';

const SLASH = 0x2f;
const MOST_LINKS = 20;
const ON_LINUX = process.platform === 'linux';
/** A descriptor that names a directory without opening it for reading (Linux; `open(2)`). */
const O_PATH = 0o10000000;

/** A path taken apart: the directory that the last name is looked up in, and that name. */
interface Split {
  parent: Buffer;
  name: Buffer;
}

/** A directory that cannot be exchanged for another one while it is held. */
interface HeldDirectory {
  /** Where its entries are reached: a path that leads to this very directory whatever is renamed meanwhile. */
  path: Buffer;
  release(): void;
}

/**
 * Only what lies below certain directories, after every symbolic link and `..` has been resolved by the kernel, never by us: the parent
 * directory is opened, the open descriptor is asked where it is, and the last name is opened relative to that descriptor without
 * following links. So nothing can be exchanged between looking and opening. (The parent is reached through `/proc/self/fd/N/`, which is what
 * `openat(2)` is for programs that have it. Elsewhere than on Linux the resolved path stands in for it, and the gap between looking and
 * opening remains.)
 *
 * Devices, pipes and sockets are refused, and so are `/proc`, `/sys` and `/dev` even where a root contains them.
 */
export class Jail implements FileAccess {
  readonly #roots: Buffer[];
  /** The roots as they were given, for deciding what a failure may tell. */
  readonly #given: string[];

  /** @param roots absolute paths of directories (or single files) that exist; what does not exist allows nothing */
  constructor(roots: readonly string[]) {
    this.#given = roots.map((root) => resolve(root));
    this.#roots = this.#given.flatMap((root) => realPath(root) ?? []);
  }

  open(path: Buffer, flags: number, mode: number): OpenFile {
    return this.#open(path, flags, mode, MOST_LINKS);
  }

  unlink(path: Buffer): void {
    this.#within(path, unlinkSync);
  }

  rmdir(path: Buffer): void {
    this.#within(path, rmdirSync);
  }

  rename(from: Buffer, to: Buffer): void {
    this.#within(from, (source) => this.#within(to, (target) => renameSync(source, target)));
  }

  readlink(path: Buffer): Buffer {
    return this.#within(path, (entry) => readlinkSync(entry, { encoding: 'buffer' }));
  }

  #open(path: Buffer, flags: number, mode: number, links: number): OpenFile {
    // `name/` is a directory or nothing, also behind a link.
    const slash = path.at(-1) === SLASH ? '/' : '';
    const opened = this.#at(
      path,
      true,
      (entry, directory) => openEntry(entry, flags, mode, slash !== '') ?? targetOf(entry, directory, slash),
    );
    if (!Buffer.isBuffer(opened)) return opened;
    if (links === 0) throw new SystemError('ELOOP');
    return this.#open(opened, flags, mode, links - 1);
  }

  #within<T>(path: Buffer, use: (entry: Buffer) => T): T {
    return this.#at(path, false, use);
  }

  /**
   * Calls `use` with a path of the entry that cannot be led elsewhere, and with the real path of its directory.
   *
   * @param rootsToo also the roots themselves, which are entries of directories outside: they may be opened, not removed or renamed
   */
  #at<T>(path: Buffer, rootsToo: boolean, use: (entry: Buffer, directory: Buffer) => T): T {
    if (path.length === 0) throw new SystemError('ENOENT');
    const { parent, name } = split(path);
    const held = this.#hold(parent, path);
    try {
      const directory = whereIs(held.path);
      const isRoot = rootsToo && this.#roots.some((root) => root.equals(join(directory, name)));
      if (!isRoot && !this.#allows(directory)) throw new SystemError('EPERM');
      return use(join(held.path, name), directory);
    } finally {
      held.release();
    }
  }

  #hold(parent: Buffer, path: Buffer): HeldDirectory {
    try {
      return hold(parent);
    } catch (error) {
      // Whether a directory outside exists is nobody's business: there, every failure reads the same.
      const absolute = `${resolve(path.toString())}/`;
      throw this.#given.some((root) => absolute.startsWith(`${root}/`)) ? error : new SystemError('EPERM');
    }
  }

  #allows(directory: Buffer): boolean {
    return (
      this.#roots.some((root) => below(directory, root)) &&
      !SYSTEM_DIRECTORIES.some((system) => below(directory, system))
    );
  }
}

/** Opens what is there; undefined where that is a link. */
function openEntry(entry: Buffer, flags: number, mode: number, onlyDirectory: boolean): OpenFile | undefined {
  const { O_NOFOLLOW, O_TRUNC, O_CREAT } = constants;
  // O_TRUNC waits until the descriptor has been looked at.
  const left = onlyDirectory ? O_TRUNC | O_CREAT : O_TRUNC;
  let fd: number;
  try {
    fd = openSync(entry, (openFlags(flags) & ~left) | O_NOFOLLOW, mode);
  } catch (error) {
    if (isErrno(error, 'ELOOP')) return undefined;
    throw error;
  }
  return lookAt(fd, () => {
    const stats = fstatSync(fd);
    if (!stats.isFile() && !stats.isDirectory()) throw new SystemError('EPERM');
    if (onlyDirectory && stats.isFile()) throw new SystemError('ENOTDIR');
    if ((flags & O_TRUNC) !== 0) ftruncateSync(fd, 0);
    return openFileOf(fd, stats, flags);
  });
}

/** Where a link in `directory` leads, as a path to be looked at anew. */
function targetOf(link: Buffer, directory: Buffer, slash: string): Buffer {
  const target = readlinkSync(link, { encoding: 'buffer' });
  const path = target[0] === SLASH ? target : join(directory, target);
  return Buffer.concat([path, Buffer.from(slash)]);
}

const SYSTEM_DIRECTORIES = ['/proc', '/sys', '/dev'].map((path) => Buffer.from(path));
const DOT = Buffer.from('.');

/** `a/b` and `a/b/` → `a`, `b`; `b` → `.`, `b`; `..`, `a/.` and `/` are their own parents, with the name `.`. */
function split(path: Buffer): Split {
  let end = path.length;
  while (end > 1 && path[end - 1] === SLASH) end--;
  const slash = path.lastIndexOf(SLASH, end - 1);
  const name = path.subarray(slash + 1, end);
  if (name.length === 0 || name.equals(DOT) || name.equals(Buffer.from('..'))) return { parent: path, name: DOT };
  if (slash < 0) return { parent: DOT, name };
  return { parent: path.subarray(0, Math.max(slash, 1)), name };
}

function hold(directory: Buffer): HeldDirectory {
  if (!ON_LINUX) return { path: realpathSync(directory, { encoding: 'buffer' }), release: () => undefined };
  const fd = openSync(directory, O_PATH | constants.O_DIRECTORY);
  return { path: Buffer.from(`/proc/self/fd/${fd}`), release: () => closeSync(fd) };
}

const whereIs = (held: Buffer): Buffer => (ON_LINUX ? readlinkSync(held, { encoding: 'buffer' }) : held);

const join = (directory: Buffer, name: Buffer): Buffer =>
  directory.at(-1) === SLASH ? Buffer.concat([directory, name]) : Buffer.concat([directory, Buffer.from('/'), name]);

/** Whether `path` is `root` or lies under it; both absolute and resolved. */
function below(path: Buffer, root: Buffer): boolean {
  if (!path.subarray(0, root.length).equals(root)) return false;
  return path.length === root.length || root.at(-1) === SLASH || path[root.length] === SLASH;
}

function realPath(path: string): Buffer | undefined {
  try {
    return realpathSync(path, { encoding: 'buffer' });
  } catch {
    return undefined;
  }
}
