import type { StateBackend } from './backend.js';
import { type Documents, newDocuments, putDocuments, readDocuments } from './catalog.js';
import { restarted } from './swap.js';
import type { StoreOptions } from './types.js';

/** The documents of the store that an open backend holds, or of a new one, as the options want them. */
export async function openDocuments(backend: StateBackend, options: StoreOptions): Promise<Documents> {
  const documents = (await readDocuments(backend)) ?? (await createStore(backend, options));
  if (options.readOnly === true) return documents;
  // Left by a swap that did not come to its end.
  await backend.dropChanges(documents.head.seq);
  return await matchHistory(backend, options, documents);
}

async function createStore(backend: StateBackend, { readOnly = false }: StoreOptions): Promise<Documents> {
  const documents = newDocuments();
  if (!readOnly) await backend.commit({ operations: putDocuments(documents) }, { sync: true });
  return documents;
}

/**
 * While history is switched off no floor is kept. Switched on again, the past begins here: with a timeline of its own on the
 * same generation.
 */
async function matchHistory(backend: StateBackend, options: StoreOptions, documents: Documents): Promise<Documents> {
  const { catalog, head, horizon } = documents;
  const isEnabled = options.history?.enabled ?? true;
  if (isEnabled === horizon.hasFloor) return documents;
  const matched = {
    catalog: isEnabled ? restarted(catalog, head) : catalog,
    head,
    horizon: { ...horizon, hasFloor: isEnabled },
  };
  await backend.commit({ operations: putDocuments(matched) }, { sync: true });
  return matched;
}
