import { LlmspellError } from '../errors.js';
import { textOf, utf8 } from '../util/bytes.js';
import { crc32 } from '../util/hash.js';
import { readArchiveInfo } from './archive-ends.js';
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
  #loaded = false;

  constructor(repository: BackupRepository, key: () => Promise<EncryptionKey | undefined>) {
    this.#repository = repository;
    this.#key = key;
  }

  /** Oldest first. */
  async records(): Promise<BackupRecord[]> {
    await this.#load();
    const stored = await this.#repository.list();
    this.#forgetAllBut(new Set(stored.map((archive) => archive.id)));
    let learnt = false;
    const records: BackupRecord[] = [];
    for (const archive of stored) {
      const before = this.#known.get(archive.id);
      records.push(await this.#record(archive));
      learnt ||= this.#known.get(archive.id) !== before;
    }
    if (learnt) await this.#save();
    return records.sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
  }

  /** Whether the archive has been read wholly, and found sound, since its file was last touched. */
  async isVerified(id: string): Promise<boolean> {
    const archive = (await this.#repository.list()).find((stored) => stored.id === id);
    const known = this.#known.get(id);
    return archive !== undefined && known?.version === archive.version && known.verified === true;
  }

  async markVerified(id: string): Promise<void> {
    const archive = (await this.#repository.list()).find((stored) => stored.id === id);
    if (!archive) return;
    const known = this.#known.get(id);
    const info = known?.version === archive.version ? known.info : undefined;
    this.#known.set(id, { version: archive.version, ...(info && { info }), verified: true });
    await this.#save();
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
      return { ...UNREADABLE, id: archive.id, sizeBytes: archive.sizeBytes, pinned, damage: error.message };
    }
  }

  async #info(archive: StoredArchive): Promise<ArchiveInfo> {
    const known = this.#known.get(archive.id);
    if (known?.version === archive.version && known.info) return known.info;
    const info = await this.#read(archive.id);
    const verified = known?.version === archive.version && known.verified === true;
    this.#known.set(archive.id, { version: archive.version, info, ...(verified && { verified }) });
    return info;
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

  #forgetAllBut(ids: ReadonlySet<string>): void {
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
  }

  async #load(): Promise<void> {
    if (this.#loaded) return;
    this.#loaded = true;
    const note = await this.#repository.readNote(CACHE);
    for (const [id, known] of decodeCache(note)) this.#known.set(id, known);
  }

  /** Whoever may not write here still gets the list. */
  async #save(): Promise<void> {
    const kept = [...this.#known].map(([id, { info, ...rest }]) => [id, info?.encrypted ? rest : { info, ...rest }]);
    const json = utf8(JSON.stringify(kept));
    const note = Buffer.concat([utf8(`${crc32(json)}\n`), json]);
    await this.#repository.writeNote(CACHE, note).catch(() => undefined);
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
const UNREADABLE: Omit<BackupRecord, 'id' | 'sizeBytes' | 'pinned'> = {
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
  sha256: '',
  isIncremental: false,
  parentId: undefined,
};
