import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectoryRepository } from '../../src/backup/directory-repository.js';
import { BackupManager } from '../../src/backup/manager.js';
import type { BackupOptions, BackupRecord } from '../../src/backup/types.js';
import { createLevelBackend } from '../../src/state/backends/level.js';
import { createMemoryBackend } from '../../src/state/backends/memory.js';
import { openStore } from '../../src/state/store.js';
import type { StateSnapshot, StateStore, StoreOptions } from '../../src/state/types.js';
import { utf8 } from '../../src/util/bytes.js';
import type { Clock } from '../../src/util/clock.js';

export const OPTIONS: BackupOptions = {
  compression: { type: 'zstd', level: 3 },
  incrementalEnabled: true,
  fullIntervalSeconds: 0,
  maxChainLength: 50,
  retention: { maxBackups: 0, maxAgeSeconds: 0, keepHourly: 0, keepDaily: 0, keepWeekly: 0, keepMonthly: 0 },
};

export const newDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'llmspell-backup-'));

export const BACKENDS = {
  memory: async (options?: StoreOptions) => openStore(createMemoryBackend(), options),
  level: async (options?: StoreOptions) => openStore(createLevelBackend({ directory: await newDirectory() }), options),
  'level with table files': async (options?: StoreOptions) =>
    openStore(createLevelBackend({ directory: await newDirectory(), loadFromBytes: 0 }), options),
};

/** A clock that only goes when it is told to. */
export class HandClock implements Clock {
  timeMs = Date.UTC(2026, 0, 1);
  nowMs(): number {
    return this.timeMs;
  }
}

export interface Bench {
  store: StateStore;
  backups: BackupManager;
  directory: string;
  clock: HandClock;
}

/** A state, a backup directory, and a manager over both. */
export async function newBench(
  options: Partial<BackupOptions> & { backend?: keyof typeof BACKENDS; store?: StateStore } = {},
): Promise<Bench> {
  const { backend = 'memory', store: given, ...backupOptions } = options;
  const clock = new HandClock();
  const store = given ?? (await BACKENDS[backend]({ clock }));
  const directory = await newDirectory();
  const repository = new DirectoryRepository(directory);
  const backups = new BackupManager({ repository, options: { ...OPTIONS, ...backupOptions }, store, clock });
  return { store, backups, directory, clock };
}

/** Sets `scope/key` to a text, or deletes it. */
export async function set(store: StateStore, path: string, text: string | null): Promise<void> {
  const [scope, key] = path.split('/');
  await store.write([{ scope: utf8(scope!), key: utf8(key!), value: text === null ? null : utf8(text) }]);
}

/** The whole state as `scope/key` → text. */
export async function contentOf(state: StateStore | StateSnapshot): Promise<Record<string, string>> {
  const snapshot = 'snapshot' in state ? await state.snapshot() : state;
  const out: Record<string, string> = {};
  for await (const page of snapshot.entries()) {
    for (const { key, value } of page) out[Buffer.from(key).toString().replace('\0\x01', '/')] = text(value);
  }
  if (snapshot !== state) await snapshot.close();
  return out;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

export const archivePath = ({ directory }: Bench, { id }: Pick<BackupRecord, 'id'>): string =>
  join(directory, `${id}.lsb`);

/** Turns one bit over, in the middle of the archive or at `at` (0 to 1 of its length). */
export async function flip(path: string, at = 0.5): Promise<void> {
  const bytes = await readFile(path);
  const index = Math.min(bytes.length - 1, Math.floor(bytes.length * at));
  bytes[index] = bytes[index]! ^ 1;
  await writeFile(path, bytes);
}
