import { LlmspellError } from '../errors.js';
import type { StateSnapshot, StateStore } from '../state/types.js';
import { badArgument, parseTime } from './arguments.js';
import type { HostParts } from './host.js';

/**
 * The whole state as it was at `when`: Unix seconds, an ISO-8601 time, or a backup id (or its beginning, or `latest`), to be read only.
 * Throws `HISTORY_UNREACHABLE`, and what finding
 * and reading the backup throws.
 */
export async function openPast(parts: HostParts, when: unknown): Promise<StateSnapshot> {
  const timeMs = parseTime(when);
  if (timeMs === undefined && typeof when !== 'string') throw badArgument('at', 1, 'a time or a backup id expected');
  const store = await parts.store();
  const seq = timeMs === undefined ? await seqOf(parts, store, String(when)) : await store.seqAtTime(timeMs);
  return await store.at(seq);
}

async function seqOf(parts: HostParts, store: StateStore, reference: string): Promise<number> {
  const { id, position } = await (await parts.backups()).find(reference);
  if (position.storeId === store.storeId) return position.seq;
  throw new LlmspellError('HISTORY_UNREACHABLE', `Backup ${id} is of another state.`);
}
