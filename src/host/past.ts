import { LlmspellError } from '../errors.js';
import type { RecoveryTarget } from '../recovery/types.js';
import type { StateSnapshot, StateStore } from '../state/types.js';
import { badArgument, parseMoment } from './arguments.js';
import type { HostParts } from './host.js';

/**
 * The whole state as it was at `when`: Unix seconds, an ISO-8601 time, `seq:NUMBER` of a change, or a backup id (or its beginning, or `latest`), to be
 * read only.
 * From the state's own history where that reaches so far, else from the archives. Throws `HISTORY_UNREACHABLE`, and what finding
 * and reading the backup throws.
 */
export async function openPast(parts: HostParts, when: unknown): Promise<StateSnapshot> {
  if (typeof when !== 'string' && parseMoment(when) === undefined)
    throw badArgument('at', 1, 'a time, seq:NUMBER or a backup id expected');
  const moment = parseMoment(when) ?? { backupId: String(when) };
  const store = await parts.store();
  try {
    return await store.at(await seqOf(parts, store, moment));
  } catch (error) {
    if (!isUnreachable(error) || !parts.hasBackups) throw error;
    return await fromArchives(parts, moment);
  }
}

async function seqOf(parts: HostParts, store: StateStore, moment: RecoveryTarget): Promise<number> {
  if ('seq' in moment) return moment.seq;
  if ('timeMs' in moment) return await store.seqAtTime(moment.timeMs);
  const { id, position } = await (await parts.backups()).find(moment.backupId);
  if (position.storeId === store.storeId) return position.seq;
  throw new LlmspellError('HISTORY_UNREACHABLE', `Backup ${id} is of another state.`);
}

/** Restored into a scratch state in memory, which lives as long as the view. */
async function fromArchives(parts: HostParts, target: RecoveryTarget): Promise<StateSnapshot> {
  const [{ openStore }, { createMemoryBackend }] = await Promise.all([
    import('../state/store.js'),
    import('../state/backends/memory.js'),
  ]);
  const scratch = await openStore(createMemoryBackend(), { durability: 'none' });
  try {
    await (await parts.recovery()).restore(target, { backupCurrent: false }, scratch);
    return withClose(await scratch.snapshot(), () => scratch.close());
  } catch (error) {
    await scratch.close();
    throw error;
  }
}

/** The same snapshot; closing it closes what it was taken of. */
function withClose(snapshot: StateSnapshot, close: () => Promise<void>): StateSnapshot {
  const { storeId, seq, timeMs, schemaVersion } = snapshot;
  return {
    storeId,
    seq,
    timeMs,
    schemaVersion,
    get: (scope, key) => snapshot.get(scope, key),
    list: (scope, options) => snapshot.list(scope, options),
    scopes: () => snapshot.scopes(),
    entries: (scopes) => snapshot.entries(scopes),
    keys: (scopes) => snapshot.keys(scopes),
    close: async () => {
      await snapshot.close();
      await close();
    },
  };
}

const isUnreachable = (error: unknown): boolean =>
  error instanceof LlmspellError && error.code === 'HISTORY_UNREACHABLE';
