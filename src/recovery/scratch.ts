import { mkdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLevelBackend } from '../state/backends/level.js';
import { openStore } from '../state/store.js';
import type { StateStore } from '../state/types.js';
import { temporaryName } from '../util/atomic-write.js';
import { removeLeftovers } from '../util/leftovers.js';

/** A state on disk that is thrown away when it is closed. */
export interface ScratchState {
  readonly store: StateStore;
  close(): Promise<void>;
}

/** In the system's directory for temporary files, which is cleared of what killed processes left: a state of any size fits where memory might not do. */
export async function openScratch(): Promise<ScratchState> {
  // Of this machine: in a directory that several share, nobody else can tell whether a process runs here.
  const path = join(tmpdir(), `llmspell-scratch-${hostname().replaceAll(/[^\w.-]/g, '_')}`);
  await removeLeftovers(path);
  const directory = temporaryName(path);
  await mkdir(directory, { mode: 0o700 });
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const store = await openStore(createLevelBackend({ directory }), { durability: 'none' });
    const close = async () => {
      await store.close();
      await remove();
    };
    return { store, close };
  } catch (error) {
    await remove();
    throw error;
  }
}
