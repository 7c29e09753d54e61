import { type ComparableState, comparable } from '../backup/compare.js';
import type { EntryPage } from '../state/entry-page.js';
import type { Position, RawEntry, StateSnapshot } from '../state/types.js';
import type { Bytes } from '../util/bytes.js';

/** The state to go back to, wherever it is read from. */
export interface RecoverySource extends ComparableState {
  readonly position: Position;
  /** The version of the schema that it is of. */
  readonly schemaVersion: string | undefined;
  /** All of it, or some scopes, in byte order of the keys. */
  pages(scopes?: readonly Bytes[]): AsyncIterable<EntryPage | readonly RawEntry[]>;
}

/** A past moment that the state's own history still has. */
export function historySource(past: StateSnapshot): RecoverySource {
  const { storeId, seq, timeMs, schemaVersion } = past;
  return {
    ...comparable(past),
    position: { storeId, seq, timeMs },
    schemaVersion,
    pages: (scopes) => past.entries(scopes),
  };
}
