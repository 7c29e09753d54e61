import { type FileHandle, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, LlmspellError } from '../errors.js';
import { atomicWrite, syncDirectory, TEMPORARY_MARK } from '../util/atomic-write.js';
import { textOf, utf8 } from '../util/bytes.js';
import { LockTimeout, withLockFile } from '../util/lock-file.js';
import { makeDirectory } from '../util/make-directory.js';
import { pidExists } from '../util/process-identity.js';
import { directoryFailure, FileSource } from './directory-files.js';
import { assertBackupId, backupNotFound, isBackupId } from './repository.js';
import type { ArchiveSink, ArchiveSource, BackupRepository, StoredArchive } from './types.js';

const ARCHIVE = /^([0-9a-f]{16})\.lsb$/;
/** Written anew, and not yet in the place of the old one. */
const STAGED = /^[0-9a-f]{16}\.lsb\.new$/;
/** The note that makes staged archives count: from then on they are the archives, whether or not they have their names yet. */
const REPLACING = 'replacing';
const NOTE = /^[a-z][a-z0-9-]{0,99}$/;
const TEMPORARY = new RegExp(`\\${TEMPORARY_MARK}(\\d+)-[0-9a-f]+$`);
/** Nobody writes one file this long; a pid that still exists then belongs to another process. */
const ABANDONED_AFTER_MS = 3_600_000;
const LOCK_TIMEOUT_MS = 30_000;

const stagedOf = (path: string) => `${path}.new`;
const sinkOf = (file: FileHandle): ArchiveSink => ({ write: (bytes) => file.writeFile(bytes) });

/**
 * Archives as files of one directory: `<id>.lsb`, notes as `<name>.note`, a `lock` while somebody changes something, `<id>.lsb.new` while
 * archives are replaced.
 * The directory is made (mode 0700) by the first write; files have mode 0600.
 */
export class DirectoryRepository implements BackupRepository {
  readonly location: string;
  readonly #lockTimeoutMs: number;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(location: string, options: { lockTimeoutMs?: number } = {}) {
    this.location = location;
    this.#lockTimeoutMs = options.lockTimeoutMs ?? LOCK_TIMEOUT_MS;
  }

  async open(): Promise<void> {
    const found = await stat(this.location).catch((error: unknown) => this.#absent(error));
    if (found && !found.isDirectory()) {
      throw new LlmspellError('BACKUP_FAILED', `The backup directory ${this.location} is not a directory.`, {
        subject: this.location,
        hint: 'Name another `backup_dir`.',
      });
    }
  }

  async put<T>(id: string, write: (sink: ArchiveSink) => Promise<T>): Promise<T> {
    const path = this.#path(id);
    return await this.#writing(async () => {
      await makeDirectory(this.location, 0o700);
      await this.#refuseExisting(path, id);
      return await atomicWrite(path, async (file) => {
        const result = await write(sinkOf(file));
        await this.#refuseExisting(path, id);
        return result;
      });
    });
  }

  async replace<T>(ids: readonly string[], write: (id: string, sink: ArchiveSink) => Promise<T>): Promise<T[]> {
    const paths = ids.map((id) => stagedOf(this.#path(id)));
    return await this.#writing(async () => {
      try {
        const results: T[] = [];
        for (const [index, id] of ids.entries())
          results.push(await atomicWrite(paths[index]!, (file) => write(id, sinkOf(file))));
        await this.writeNote(REPLACING, utf8(ids.join(' ')));
        await this.#finishReplacing();
        return results;
      } catch (error) {
        // Where the note is there, what is staged counts already, and the next turn goes on with it.
        if ((await this.#replacing()).size === 0) await Promise.all(paths.map((path) => rm(path, { force: true })));
        throw error;
      }
    });
  }

  async get(id: string): Promise<ArchiveSource> {
    const path = this.#path(id);
    try {
      const isStaged = (await this.#replacing()).has(id);
      const staged = isStaged ? await FileSource.open(stagedOf(path)).catch((error) => this.#absent(error)) : undefined;
      return staged ?? (await FileSource.open(path));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') throw backupNotFound(id, this.location);
      throw this.#failure(error);
    }
  }

  async list(): Promise<StoredArchive[]> {
    const names = await readdir(this.location).catch((error: unknown) => this.#absent(error) ?? []);
    const ids = names.flatMap((name) => ARCHIVE.exec(name)?.[1] ?? []).sort();
    const replacing = await this.#replacing();
    const found = await Promise.all(ids.map((id) => this.#describe(id, replacing.has(id))));
    return found.filter((archive) => archive !== undefined);
  }

  async delete(id: string): Promise<boolean> {
    const path = this.#path(id);
    try {
      await unlink(path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw this.#failure(error);
    }
    await syncDirectory(this.location);
    return true;
  }

  async readNote(name: string): Promise<Uint8Array | undefined> {
    return await readFile(this.#notePath(name)).catch((error: unknown) => this.#absent(error));
  }

  async writeNote(name: string, content: Uint8Array | null): Promise<void> {
    const path = this.#notePath(name);
    if (content === null) return await rm(path, { force: true });
    await this.#writing(async () => {
      await makeDirectory(this.location, 0o700);
      await atomicWrite(path, (file) => file.writeFile(content));
    });
  }

  /** Turns within this process come in the order of the calls; the lock file is for the other processes. */
  async exclusive<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const turn = this.#turn.then(() => this.#locked(work, signal));
    this.#turn = turn.catch(() => undefined);
    return await turn;
  }

  async close(): Promise<void> {
    await this.#turn;
  }

  async #locked<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    await this.#writing(() => makeDirectory(this.location, 0o700));
    const entered = async () => {
      await this.#finishReplacing();
      await this.#removeLeftovers();
      return { result: await work() };
    };
    try {
      const options = { timeoutMs: this.#lockTimeoutMs, signal };
      return (await withLockFile(join(this.location, 'lock'), entered, options)).result;
    } catch (error) {
      if (!(error instanceof LockTimeout)) throw this.#failure(error);
      throw new LlmspellError('BACKUP_FAILED', `The backups in ${this.location} are in use: ${error.message}.`, {
        subject: this.location,
        hint: 'Wait for the other process to end, or stop it.',
        cause: error,
      });
    }
  }

  /** The archives whose staged files count. */
  async #replacing(): Promise<ReadonlySet<string>> {
    const note = await this.readNote(REPLACING);
    return new Set(
      textOf(note ?? new Uint8Array(0))
        ?.split(' ')
        .filter(isBackupId),
    );
  }

  /** Gives staged archives that count their names, also those of a process that was killed over it. */
  async #finishReplacing(): Promise<void> {
    const ids = await this.#replacing();
    if (ids.size === 0) return;
    for (const id of ids)
      await rename(stagedOf(this.#path(id)), this.#path(id)).catch((error: unknown) => this.#absent(error));
    await syncDirectory(this.location);
    await this.writeNote(REPLACING, null);
  }

  /** What was staged and never counted, and temporary files of processes that are gone; those of a process that still writes stay. */
  async #removeLeftovers(): Promise<void> {
    for (const name of await readdir(this.location)) {
      const pid = TEMPORARY.exec(name)?.[1];
      if (STAGED.test(name) || (pid && (await this.#abandoned(name, Number(pid)))))
        await rm(join(this.location, name), { force: true });
    }
  }

  async #abandoned(name: string, pid: number): Promise<boolean> {
    if (!pidExists(pid)) return true;
    const found = await stat(join(this.location, name)).catch(() => undefined);
    return found !== undefined && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS;
  }

  async #describe(id: string, isStaged: boolean): Promise<StoredArchive | undefined> {
    try {
      const path = this.#path(id);
      const staged = isStaged ? await stat(stagedOf(path), { bigint: true }).catch(() => undefined) : undefined;
      const { size, mtimeNs, ino } = staged ?? (await stat(path, { bigint: true }));
      return { id, sizeBytes: Number(size), version: `${size}-${mtimeNs}-${ino}` };
    } catch {
      return undefined; // deleted by another process since the directory was read
    }
  }

  async #refuseExisting(path: string, id: string): Promise<void> {
    const found = await stat(path).catch(() => undefined);
    if (found) throw new LlmspellError('BACKUP_FAILED', `There is already a backup ${id}.`, { subject: id });
  }

  #path(id: string): string {
    assertBackupId(id);
    return join(this.location, `${id}.lsb`);
  }

  #notePath(name: string): string {
    if (!NOTE.test(name) || isBackupId(name)) throw new LlmspellError('INTERNAL', `${name} cannot name a note.`);
    return join(this.location, `${name}.note`);
  }

  /** For reading: what is not there yet is empty, and any other failure is told. */
  #absent(error: unknown): undefined {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw this.#failure(error);
  }

  async #writing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): unknown {
    return directoryFailure(error, this.location);
  }
}
