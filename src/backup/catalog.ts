import { LlmspellError } from '../errors.js';
import { textOf, utf8 } from '../util/bytes.js';
import { crc32 } from '../util/hash.js';
import { readArchiveInfo, readHeader } from './archive-ends.js';
import { infoOf } from './archive-metadata.js';
import type { ArchiveInfo, BackupRecord, BackupRepository, EncryptionKey, StoredArchive } from './types.js';

/** What is known of one archive, as long as its file has the version it had then. */
interface Known {
  version: string;
  info?: ArchiveInfo;
  /** Every byte of it has been read and found sound, or written by ourselves. */
  verified?: boolean;
}

const CACHE = 'catalog';
const pinOf = (id: string) => `pin-${id}`;

/**
 * The archives of a repository, as records. Headers and trailers are read once and remembered in a note: a cache only, good as
 * long as a file's version is the same, rebuilt wherever it is missing or does not fit. Of encrypted archives it keeps nothing
 * that the archive itself would hide.
 */
export class Catalog {
  readonly #repository: BackupRepository;
  readonly #key: () => Promise<EncryptionKey | undefined>;
  readonly #known = new Map<string, Known>();
  #versions: ReadonlyMap<string, string> = new Map();
  #isLoaded = false;
  #isDirty = false;

  constructor(repository: BackupRepository, key: () => Promise<EncryptionKey | undefined>) {
    this.#repository = repository;
    this.#key = key;
  }

  /** Oldest first. */
  async records(): Promise<BackupRecord[]> {
    await this.#load();
    const stored = await this.#repository.list();
    this.#versions = new Map(stored.map(({ id, version }) => [id, version]));
    for (const id of this.#known.keys()) if (!this.#versions.has(id)) this.#known.delete(id);
    const records: BackupRecord[] = [];
    for (const archive of stored) records.push(await this.#record(archive));
    await this.save();
    return records.sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
  }

  /** Whether the archive had been read wholly, and found sound, in the version that `records` found. */
  isVerified(id: string): boolean {
    return this.#current(id)?.verified === true;
  }

  /** Says so of the version that `records` found. `save` keeps it. */
  markVerified(id: string): void {
    const version = this.#versions.get(id);
    if (version === undefined || this.isVerified(id)) return;
    this.#known.set(id, { ...this.#current(id), version, verified: true });
    this.#isDirty = true;
  }

  /** Writes the cache where it changed. Whoever may not write here does without. */
  async save(): Promise<void> {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    const kept = [...this.#known].map(([id, { info, ...rest }]) => [id, info?.encrypted ? rest : { info, ...rest }]);
    const json = utf8(JSON.stringify(kept));
    const note = Buffer.concat([utf8(`${crc32(json)}\n`), json]);
    await this.#repository.writeNote(CACHE, note).catch(() => undefined);
  }

  async setPinned(id: string, pinned: boolean): Promise<void> {
    await this.#repository.writeNote(pinOf(id), pinned ? new Uint8Array(0) : null);
  }

  async #record(archive: StoredArchive): Promise<BackupRecord> {
    const pinned = (await this.#repository.readNote(pinOf(archive.id))) !== undefined;
    try {
      const info = await this.#info(archive);
      const damage = info.id === archive.id ? {} : { damage: `The archive under this id is really ${info.id}.` };
      return { ...info, id: archive.id, isIncremental: !!info.parent, parentId: info.parent?.id, pinned, ...damage };
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      const info = (await this.#header(archive.id)) ?? UNREADABLE;
      const { id, sizeBytes } = archive;
      const [isIncremental, parentId] = [!!info.parent, info.parent?.id];
      return { ...info, id, sizeBytes, isIncremental, parentId, pinned, damage: error.message };
    }
  }

  async #info({ id, version }: StoredArchive): Promise<ArchiveInfo> {
    const known = this.#current(id);
    if (known?.info) return known.info;
    const info = await this.#read(id);
    this.#known.set(id, { ...known, version, info });
    this.#isDirty = true;
    return info;
  }

  /** What is known of the version that is there. */
  #current(id: string): Known | undefined {
    const known = this.#known.get(id);
    return known?.version === this.#versions.get(id) ? known : undefined;
  }

  /** Without the key, or with another one, an encrypted archive still says who it is and what it rests on. */
  async #read(id: string): Promise<ArchiveInfo> {
    const source = await this.#repository.get(id);
    try {
      const key = await this.#key().catch(() => undefined);
      return await readArchiveInfo(source, key ? { key } : {});
    } finally {
      await source.close();
    }
  }

  /** What a damaged archive still says of itself: where its header is whole, who it is and what it rests on. */
  async #header(id: string): Promise<ArchiveInfo | undefined> {
    const source = await this.#repository.get(id);
    try {
      return infoOf((await readHeader(source)).header, undefined, { sizeBytes: source.sizeBytes, sha256: '' });
    } catch {
      return undefined;
    } finally {
      await source.close();
    }
  }

  async #load(): Promise<void> {
    if (this.#isLoaded) return;
    this.#isLoaded = true;
    const note = await this.#repository.readNote(CACHE);
    for (const [id, known] of decodeCache(note)) this.#known.set(id, known);
  }
}

function decodeCache(note: Uint8Array | undefined): [string, Known][] {
  const end = note?.indexOf(0x0a) ?? -1;
  if (!note || end < 0) return [];
  const json = note.subarray(end + 1);
  if (textOf(note.subarray(0, end)) !== String(crc32(json))) return [];
  return JSON.parse(textOf(json) ?? '[]') as [string, Known][];
}

const isUnreadable = (error: unknown): error is LlmspellError =>
  error instanceof LlmspellError && (error.code === 'BACKUP_DAMAGED' || error.code === 'BACKUP_VERSION');

/** What a record says where nothing of its archive can be read. */
const UNREADABLE: ArchiveInfo = {
  id: '',
  formatVersion: 0,
  createdAtMs: 0,
  position: { storeId: '', seq: 0, timeMs: 0 },
  description: '',
  tags: [],
  compression: { type: 'none', level: 0 },
  encrypted: false,
  sealed: true,
  recordCount: 0,
  entryCount: 0,
  uncompressedBytes: 0,
  sizeBytes: 0,
  sha256: '',
};
