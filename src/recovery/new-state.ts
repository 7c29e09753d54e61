import { readdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { BackupManager } from '../backup/manager.js';
import { errnoOf, LlmspellError } from '../errors.js';
import { createLevelBackend } from '../state/backends/level.js';
import { createMemoryBackend } from '../state/backends/memory.js';
import { openStore } from '../state/store.js';
import type { StateStore } from '../state/types.js';
import { syncDirectory, temporaryName } from '../util/atomic-write.js';
import { removeLeftovers } from '../util/leftovers.js';
import { makeDirectory } from '../util/make-directory.js';
import { RecoveryOrchestrator } from './orchestrator.js';
import type { RecoveryTarget, RestoreOptions, RestoreResult } from './types.js';

/**
 * Makes a new state in a directory that is not there or is empty: built beside it, and moved there when it is whole and on disk. Throws
 * `USAGE` where the directory holds something, `OUTPUT_FAILED` where it cannot be made, and what `build` throws; nothing is left then.
 */
export async function buildState<T>(directory: string, build: (store: StateStore) => Promise<T>): Promise<T> {
  await refuseFilled(directory);
  const beside = temporaryName(directory);
  try {
    await removeLeftovers(directory);
    await makeDirectory(beside, 0o700);
    const store = await openStore(createLevelBackend({ directory: beside }), { durability: 'none' });
    let result: T;
    try {
      result = await build(store);
      await store.flush();
    } finally {
      await store.close();
    }
    await rename(beside, directory);
    await syncDirectory(dirname(directory));
    return result;
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    throw error instanceof LlmspellError ? error : failure(error, directory);
  }
}

/**
 * Restores into a new state of its own, from the archives alone: the live state is not needed, not read and not touched. `directory` is then a
 * `path` that a configuration can name. Throws as `buildState` and `RecoveryOrchestrator.restore`.
 */
export async function restoreInto(
  backups: BackupManager,
  target: RecoveryTarget,
  directory: string,
  options: RestoreOptions = {},
): Promise<RestoreResult> {
  const restore = (store: StateStore) =>
    new RecoveryOrchestrator({ store, backups }).restore(target, { ...options, backupCurrent: false });
  if (!options.dryRun) return await buildState(directory, restore);
  await refuseFilled(directory);
  const nothing = await openStore(createMemoryBackend(), { durability: 'none' });
  try {
    return await restore(nothing);
  } finally {
    await nothing.close();
  }
}

async function refuseFilled(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw failure(error, directory);
  });
  if (names.length === 0) return;
  throw new LlmspellError('USAGE', `${directory} is not empty: a new state is made only where nothing is.`, {
    subject: directory,
    hint: 'Name a directory that is not there yet.',
  });
}

function failure(error: unknown, directory: string): unknown {
  if (errnoOf(error) === undefined) return error;
  return new LlmspellError('OUTPUT_FAILED', `A state cannot be made in ${directory} (${errnoOf(error)}).`, {
    subject: directory,
    cause: error,
  });
}
