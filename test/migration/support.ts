import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DirectoryRepository } from '../../src/backup/directory-repository.js';
import { BackupManager } from '../../src/backup/manager.js';
import { LuaMigration } from '../../src/host/lua-migration.js';
import { type MigrationSetup, Migrator } from '../../src/migration/migrator.js';
import { type ExactJson, fromExactJson, toExactJson } from '../../src/state/exact-json.js';
import { decodeKey } from '../../src/state/key.js';
import type { StateSnapshot, StateStore } from '../../src/state/types.js';
import { printable, utf8 } from '../../src/util/bytes.js';
import { newDirectory, OPTIONS } from '../backup/harness.js';
import { MACHINE } from '../host/script-runs.js';

/** A directory with these files. */
export async function schemaDirectory(files: Record<string, string>): Promise<string> {
  const directory = join(await newDirectory(), 'schemas');
  await mkdir(directory);
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  return directory;
}

/** Migrations of a state by the schemas in `directory`, with backups in a directory of their own. */
export async function migratorOf(store: StateStore, directory: string, more: Partial<MigrationSetup> = {}) {
  const repository = new DirectoryRepository(await newDirectory());
  const backups = new BackupManager({ repository, options: OPTIONS, store });
  const migrator = new Migrator({
    store,
    directory,
    maxValueBytes: 10_000_000,
    backUpFirst: true,
    backups: async () => backups,
    openLua: (files, signal) => LuaMigration.open(files, { machine: MACHINE, timeoutSeconds: 20, signal }),
    ...more,
  });
  return { migrator, backups };
}

/** Sets `scope key` to a value given as exact JSON; null deletes. */
export async function put(store: StateStore, scope: string, key: string, value: ExactJson): Promise<void> {
  await store.write([{ scope: utf8(scope), key: utf8(key), value: value === null ? null : fromExactJson(value) }]);
}

/** All entries as `scope key` → exact JSON. */
export async function contentOf(state: StateStore | StateSnapshot): Promise<Record<string, ExactJson>> {
  const snapshot = 'snapshot' in state ? await state.snapshot() : state;
  const content: Record<string, ExactJson> = {};
  for await (const page of snapshot.entries())
    for (const { key: raw, value } of page) {
      const { scope, key } = decodeKey(raw)!;
      content[`${printable(scope)} ${printable(key)}`] = toExactJson(value);
    }
  if (snapshot !== state) await snapshot.close();
  return content;
}
