import { Merge } from '../recovery/merge.js';
import { type ExportedEntry, exportedEntry, importedEntry } from '../state/exported-entry.js';
import type { ActivatedGeneration, StateStore } from '../state/types.js';

/** Every entry of the state at one moment, in byte order. */
export async function* exportEntries(store: StateStore): AsyncGenerator<ExportedEntry> {
  const snapshot = await store.snapshot();
  try {
    for await (const page of snapshot.entries()) yield* page.map(exportedEntry);
  } finally {
    await snapshot.close();
  }
}

export interface ImportOptions {
  /** Keep the entries that the export does not have. */
  merge: boolean;
  /** For history and rollback points. */
  description: string;
}

/**
 * Makes the state what an export holds, all or nothing: whatever is wrong with any entry, the state is as it was. Throws `VALUE_INVALID`
 * naming the entry, counted from 1.
 */
export async function importEntries(
  store: StateStore,
  entries: AsyncIterable<unknown>,
  { merge, description }: ImportOptions,
): Promise<ActivatedGeneration & { entryCount: number }> {
  const generation = await store.newGeneration();
  try {
    let entryCount = 0;
    for await (const entry of entries) await generation.write([importedEntry(entry, ++entryCount)]);
    const merging = new Merge(store, generation, { preserveUntracked: merge });
    const present = await store.snapshot();
    await merging.complete(present);
    return { ...(await merging.activate(present, description, true)), entryCount };
  } finally {
    await generation.discard();
  }
}
