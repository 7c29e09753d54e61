import { abortable, reporter } from '../backup/operation.js';
import type { OperationOptions } from '../backup/types.js';
import { Merge } from '../recovery/merge.js';
import { type ExportedEntry, exportedEntry, importedEntry } from '../state/exported-entry.js';
import type { ActivatedGeneration, GenerationWriter, RawEntry, StateStore } from '../state/types.js';
import { throwIfAborted } from '../util/abort.js';

/** Every entry of the state at one moment, in byte order. Throws `ABORTED`. */
export async function* exportEntries(
  store: StateStore,
  { signal, ...watching }: OperationOptions = {},
): AsyncGenerator<ExportedEntry> {
  const snapshot = await store.snapshot();
  const report = reporter('export', watching);
  let done = 0;
  try {
    for await (const page of snapshot.entries()) {
      throwIfAborted(signal);
      yield* page.map(exportedEntry);
      done += page.length;
      report({ phase: 'export', done, message: 'Writing entries' });
    }
  } finally {
    await snapshot.close();
  }
}

export interface ImportOptions extends OperationOptions {
  /** Keep the entries that the export does not have. */
  merge: boolean;
  /** For history and rollback points. */
  description: string;
}

/** Entries that are written together. */
const PAGE = 1000;

/**
 * Makes the state what an export holds, all or nothing: whatever is wrong with any entry, the state is as it was. Throws `VALUE_INVALID`
 * naming the entry, counted from 1, and `ABORTED`.
 */
export async function importEntries(
  store: StateStore,
  entries: AsyncIterable<unknown>,
  { merge, description, ...options }: ImportOptions,
): Promise<ActivatedGeneration & { entryCount: number }> {
  return await abortable('The import', options.signal, async () => {
    const generation = await store.newGeneration();
    try {
      const entryCount = await fill(generation, entries, options);
      const { signal } = options;
      const merging = new Merge(store, generation, { preserveUntracked: merge, ...(signal && { signal }) });
      const present = await store.snapshot();
      try {
        await merging.complete(present);
      } catch (error) {
        await present.close();
        throw error;
      }
      return { ...(await merging.activate(present, description, true)), entryCount };
    } finally {
      await generation.discard();
    }
  });
}

async function fill(
  generation: GenerationWriter,
  entries: AsyncIterable<unknown>,
  { signal, ...watching }: OperationOptions,
): Promise<number> {
  const report = reporter('import', watching);
  let [page, count]: [RawEntry[], number] = [[], 0];
  for await (const entry of entries) {
    page.push(importedEntry(entry, ++count));
    if (page.length < PAGE) continue;
    throwIfAborted(signal);
    await generation.write(page);
    report({ phase: 'import', done: count, message: 'Reading entries' });
    page = [];
  }
  await generation.write(page);
  return count;
}
