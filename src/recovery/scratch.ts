import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLevelBackend } from '../state/backends/level.js';
import { openStore } from '../state/store.js';
import type { StateStore } from '../state/types.js';

/** A state on disk that is thrown away when it is closed. */
export interface ScratchState {
  readonly store: StateStore;
  close(): Promise<void>;
}

/** In the system's directory for temporary files: a state of any size fits where memory might not do. */
export async function openScratch(): Promise<ScratchState> {
  const directory = await mkdtemp(join(tmpdir(), 'llmspell-scratch-'));
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
