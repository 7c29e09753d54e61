import { throwIfAborted } from '../util/abort.js';
import type { Clock } from '../util/clock.js';
import { type RewriteOptions, rewriteArchive } from './archive-rewrite.js';
import type { Catalog } from './catalog.js';
import type { ChainState } from './chain-state.js';
import type { Report } from './operation.js';
import type {
  ArchiveInfo,
  ArchiveSink,
  ArchiveSource,
  BackupOptions,
  BackupRecord,
  BackupRepository,
  EncryptionKey,
  OperationOptions,
} from './types.js';

/** What the operations on archives share: where these are, what is known of them, how they are read and written. */
export interface Archives {
  readonly repository: BackupRepository;
  readonly catalog: Catalog;
  readonly options: BackupOptions;
  readonly clock: Clock;
  /** Of the configuration; undefined where archives are not encrypted. */
  key(): Promise<EncryptionKey | undefined>;
  /** Reads an archive that was touched since it was last found sound. */
  isSound(id: string): Promise<boolean>;
  openState(chain: readonly { id: string }[], options: OperationOptions): Promise<ChainState>;
}

const COPY_BYTES = 1024 * 1024;

/** The same bytes once more. */
export async function copyArchive(
  source: ArchiveSource,
  sink: ArchiveSink,
  { signal }: OperationOptions,
  report: Report,
): Promise<void> {
  for (let at = 0; at < source.sizeBytes; at += COPY_BYTES) {
    const bytes = await source.read(at, Math.min(COPY_BYTES, source.sizeBytes - at));
    await sink.write(bytes);
    const done = at + bytes.length;
    report({ phase: 'copy', done, total: source.sizeBytes, message: `${done} bytes copied` });
    throwIfAborted(signal);
  }
}

/** Written by ourselves just now: it need not be read again. */
export async function markWritten({ catalog }: Archives, ids: readonly string[]): Promise<readonly BackupRecord[]> {
  const records = await catalog.records();
  for (const id of ids) catalog.markVerified(id);
  await catalog.save();
  return records;
}

/** Writes archives again that rest on one another; what comes after its parent is told the parent's new digest. */
export class Rewriter {
  readonly #repository: BackupRepository;
  readonly #digests = new Map<string, string>();

  constructor(repository: BackupRepository) {
    this.#repository = repository;
  }

  /** Those that rest on this one are to name it as it is now. */
  wrote({ id, sha256 }: Pick<ArchiveInfo, 'id' | 'sha256'>): void {
    this.#digests.set(id, sha256);
  }

  async rewrite(record: BackupRecord, sink: ArchiveSink, options: RewriteOptions): Promise<void> {
    const parentSha256 = record.parent && this.#digests.get(record.parent.id);
    const source = await this.#repository.get(record.id);
    try {
      this.wrote(
        await rewriteArchive(source, sink, { ...options, ...(parentSha256 !== undefined && { parentSha256 }) }),
      );
    } finally {
      await source.close();
    }
  }
}

/** With it goes that it was pinned. */
export async function removeArchive({ repository, catalog }: Archives, id: string): Promise<void> {
  await repository.delete(id);
  await catalog.setPinned(id, false);
}
