import type { CompressionSetting } from '../config/compression-levels.js';
import type { LlmspellError } from '../errors.js';
import type { EntryPage } from '../state/entry-page.js';
import type { HistoryRecord, Position, RawEntry, SchemaMark } from '../state/types.js';

export { CODECS, type CompressionSetting, type CompressionType } from '../config/compression-levels.js';

/** What an archive says of itself in its header and trailer: all that a list needs, read without decoding any entry. */
export interface ArchiveInfo {
  /** 16 lower-case hexadecimal digits. */
  id: string;
  formatVersion: number;
  createdAtMs: number;
  /** The moment whose state this archive completes. */
  position: Position;
  /** Absent in a full archive. */
  parent?: {
    id: string;
    /** SHA-256 of the parent's file, hexadecimal: a swapped parent is noticed. */
    sha256: string;
    /** The changes in this archive are those above this sequence number. After a restore it is higher than the parent's own. */
    fromSeq: number;
    /** The time of that change: moments from it to `position` can be told apart by this archive. */
    fromTimeMs: number;
  };
  description: string;
  tags: readonly string[];
  /** Version of the state's schema, where there is one. */
  schemaVersion?: string;
  /** In an incremental archive: where it became of another one meanwhile, ascending; before the first it is of the parent's. */
  schemaMarks?: readonly SchemaMark[];
  compression: CompressionSetting;
  encrypted: boolean;
  /**
   * Encrypted, and read without its key: `position.seq`, `position.timeMs`, `parent.fromSeq`, `parent.fromTimeMs` and the counts are then 0, description and tags
   * empty, and `schemaVersion` and `schemaMarks` absent, because all these are inside the encryption.
   */
  sealed: boolean;
  /** Entries of a full archive, changes of an incremental one. */
  recordCount: number;
  /** Entries of a full archive; in an incremental one, how many different keys its changes touch. */
  entryCount: number;
  uncompressedBytes: number;
  /** Of the whole file. */
  sizeBytes: number;
  /** Of the whole file up to the digest itself, hexadecimal. */
  sha256: string;
}

/** What the writer is told before the first record. */
export type ArchiveStart = Omit<
  ArchiveInfo,
  'formatVersion' | 'encrypted' | 'sealed' | 'recordCount' | 'entryCount' | 'uncompressedBytes' | 'sizeBytes' | 'sha256'
>;

/** A place to write an archive to; `close` makes it durable. */
export interface ArchiveSink {
  write(bytes: Uint8Array): Promise<void>;
}

/** Random access to an archive's bytes. */
export interface ArchiveSource {
  readonly sizeBytes: number;
  /** For messages: a path or an id. */
  readonly name: string;
  /** Exactly `length` bytes from `offset`; throws `BACKUP_DAMAGED` where the file is shorter. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface ArchiveOptions {
  /** 32 bytes, or a passphrase from which one is derived. */
  key?: EncryptionKey;
  signal?: AbortSignal;
  /** Called as records go through; `total` where it is known. */
  onProgress?: (done: number, total?: number) => void;
  /**
   * For reading: all that `validate` checks of an archive is checked whenever the whole of it is read, and reading ends in
   * `BACKUP_DAMAGED` where something is wrong. Default false: what is handed out is checked.
   */
  verify?: boolean;
}

export type EncryptionKey = { kind: 'passphrase'; passphrase: string } | { kind: 'raw'; bytes: Uint8Array };

/**
 * Writes one archive: `entries` for a full one or `changes` for an incremental one, in ascending order, then `finish`. What is handed in
 * must not be changed afterwards.
 */
export interface ArchiveWriter {
  entries(page: readonly RawEntry[]): Promise<void>;
  changes(page: readonly HistoryRecord[]): Promise<void>;
  /** Writes index and trailer. `entryCount` only for an incremental archive. */
  finish(result: { entryCount?: number }): Promise<ArchiveInfo>;
}

/** One chunk of an archive as its index has it. */
export interface ArchiveChunk {
  /** Of its whole frame. */
  frameBytes: number;
  /** Records that begin in it. */
  begun: number;
  /** Sort key of the record that its first byte belongs to, cut to 1 KiB: of an entry its raw key, of a change its number. */
  first: Uint8Array;
  /** The records that end in it; undefined where it is damaged. */
  contents: readonly (RawEntry | HistoryRecord)[] | undefined;
}

/** Reads one archive; every byte it hands out has had its chunk's checksum verified. Errors are `BACKUP_DAMAGED` or `BACKUP_KEY`. */
export interface ArchiveReader {
  readonly info: ArchiveInfo;
  /** Entries of a full archive, or of those scopes only (read through the index, without the other chunks). */
  entries(scopes?: readonly Uint8Array[]): AsyncIterable<readonly RawEntry[]>;
  /** All entries of a full archive, as they cost least. */
  pages(): AsyncIterable<EntryPage | readonly RawEntry[]>;
  /** Changes of an incremental archive. */
  changes(): AsyncIterable<readonly HistoryRecord[]>;
  /** The value of one entry of a full archive, by its raw key; reads the index and one chunk. */
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** Everything in it, chunk by chunk; a damaged one is passed over. */
  chunks(): AsyncIterable<ArchiveChunk>;
  close(): Promise<void>;
}

/** One archive in a repository. */
export interface StoredArchive {
  id: string;
  sizeBytes: number;
  /** Another one where the bytes have been touched (as an HTTP ETag): what was learnt of the old bytes no longer counts. */
  version: string;
}

/**
 * Where archives live: opaque streams under ids. Nothing above knows which it is.
 * - `put` is all or nothing, durable when it resolves, and never replaces an archive that is there.
 * - `list` shows whole archives only; leftovers of a killed process are not shown, and are removed in time.
 * - Two processes may use one repository at once; what reads first and then changes goes into `exclusive`.
 */
export interface BackupRepository {
  /** For messages. */
  readonly location: string;
  open(): Promise<void>;
  put<T>(id: string, write: (sink: ArchiveSink) => Promise<T>): Promise<T>;
  /**
   * Writes archives that are there anew, one after another, and puts them in the place of the old ones at once: failed or killed at
   * any moment, there are all the old ones or all the new ones. Only within `exclusive`.
   */
  replace<T>(ids: readonly string[], write: (id: string, sink: ArchiveSink) => Promise<T>): Promise<T[]>;
  /** Throws `BACKUP_NOT_FOUND`. */
  get(id: string): Promise<ArchiveSource>;
  list(): Promise<StoredArchive[]>;
  /** Resolves with whether it was there. */
  delete(id: string): Promise<boolean>;
  /** Small documents beside the archives (pins, caches), written atomically. */
  readNote(name: string): Promise<Uint8Array | undefined>;
  writeNote(name: string, content: Uint8Array | null): Promise<void>;
  /**
   * Runs `work` while no other `exclusive` runs on this repository, in any process; waits for its turn. A holder that died does
   * not block. Throws `BACKUP_FAILED`, naming the holder, where the turn does not come in time. Not reentrant.
   */
  exclusive<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  close(): Promise<void>;
}

export interface Progress {
  operation: 'backup' | 'restore' | 'validate' | 'migrate' | 'compact' | 'rekey' | 'export' | 'import' | 'rescue';
  phase: string;
  backupId?: string;
  done: number;
  /** Of the entries of a full backup: as many as the last one had, which is about what there is. */
  total?: number;
  /** 0–100, where `total` is known. */
  percent?: number;
  message: string;
}

export interface OperationOptions {
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

export interface ReadOptions extends OperationOptions {
  /** As in {@link ArchiveOptions}. */
  verify?: boolean;
}

export interface CreateOptions extends OperationOptions {
  incremental?: boolean;
  description?: string;
  tags?: readonly string[];
  pin?: boolean;
}

/** A backup as lists show it. */
export interface BackupRecord extends ArchiveInfo {
  isIncremental: boolean;
  parentId: string | undefined;
  pinned: boolean;
  /** Where header or trailer cannot be read: why. The other fields are then what could be found out. */
  damage?: string;
}

export interface CreateResult {
  backup: BackupRecord;
  durationMs: number;
  warnings: string[];
  /** What retention removed and kept afterwards; absent where no limit is set. */
  retention?: CleanupResult;
}

export interface ListFilter {
  tag?: string;
  sinceMs?: number;
  /** The newest so many. */
  limit?: number;
}

export interface ValidationResult {
  backupId: string;
  isValid: boolean;
  /** Every checksum and digest of the archive fits. */
  checksumValid: boolean;
  /** Every record decodes; counts and order are right. */
  integrityValid: boolean;
  /** Every ancestor is there, is the one meant, and is itself valid. */
  chainValid: boolean;
  errors: string[];
  warnings: string[];
  validatedAtMs: number;
  durationMs: number;
}

export interface RetentionPolicy {
  /** 0: no limit. */
  maxBackups: number;
  /** Seconds; 0: no limit. */
  maxAgeSeconds: number;
  keepHourly: number;
  keepDaily: number;
  keepWeekly: number;
  keepMonthly: number;
}

export interface RetentionDecision {
  id: string;
  keep: boolean;
  reason: string;
}

export interface CleanupResult {
  dryRun: boolean;
  decisions: RetentionDecision[];
  deletedCount: number;
  retainedCount: number;
  spaceFreedBytes: number;
}

export interface StorageUsage {
  totalBackups: number;
  totalBytes: number;
  fullBackups: number;
  incrementalBackups: number;
  oldest: BackupRecord | undefined;
  newest: BackupRecord | undefined;
}

export interface CompactResult {
  backup: BackupRecord;
  /** What it was made from, base first; only itself where it was a full one already. */
  chain: string[];
  /** The backups that rest on it, whose files name the new one now. */
  rewritten: string[];
  durationMs: number;
  warnings: string[];
}

export interface RekeyOptions extends OperationOptions {
  /** What the archives are encrypted with now. Default: the key of the configuration. */
  oldKey?: EncryptionKey;
  /** What they are to be encrypted with; null: nothing. Default: the key of the configuration, nothing where it has none. */
  newKey?: EncryptionKey | null;
}

export interface RekeyResult {
  backupId: string;
  status: 'rekeyed' | 'unchanged' | 'failed';
  /** Why it failed. */
  error?: LlmspellError;
}

export interface ExportOptions extends OperationOptions {
  /** Replace a file that is there. Default false. */
  overwrite?: boolean;
}

export interface ExportResult {
  backup: BackupRecord;
  file: string;
  format: 'archive' | 'zip';
  sizeBytes: number;
  entryCount: number;
  /** What it was made from, base first. */
  chain: string[];
  durationMs: number;
  warnings: string[];
}

export interface ImportOptions extends OperationOptions {
  /** What the file is encrypted with. Default: the key of the configuration. */
  key?: EncryptionKey;
  pin?: boolean;
}

export interface ImportResult {
  backup: BackupRecord;
  /** False where the very same archive was there already. */
  isNew: boolean;
  durationMs: number;
  warnings: string[];
}

/** What one scope takes in an archive. */
export interface ScopeUsage {
  scope: Uint8Array;
  /** Entries of a full archive, changes of an incremental one. */
  records: number;
  /** Of their keys and values. */
  rawBytes: number;
  /** Their share of the compressed chunks that they are in. */
  storedBytes: number;
}

/** Records that stood in damaged parts of an archive. */
export interface LostRange {
  records: number;
  /** Of a full archive: the entries from this one on and before that one. */
  from?: EntryName;
  to?: EntryName;
}

/** An entry by its name. */
export interface EntryName {
  scope: Uint8Array;
  key: Uint8Array;
}

/** What a second state has that a first one has not, has otherwise, and has no more; each in byte order. */
export interface StateDiff {
  added: EntryName[];
  changed: EntryName[];
  removed: EntryName[];
}

export interface BackupOptions {
  compression: CompressionSetting;
  incrementalEnabled: boolean;
  /** Seconds after which an incremental becomes a full one; 0: never. */
  fullIntervalSeconds: number;
  maxChainLength: number;
  retention: RetentionPolicy;
  /** Undefined: not encrypted. A function, so that a missing key is an error of the operation and not of the start. */
  encryptionKey?: () => Promise<EncryptionKey>;
}
