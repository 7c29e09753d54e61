import { type ComparableState, comparable } from '../backup/compare.js';
import type { RawWrite } from '../backup/overlay.js';
import type { Position, StateSnapshot } from '../state/types.js';
import type { Bytes } from '../util/bytes.js';

/** The state to go back to, wherever it is read from. */
export interface RecoverySource extends ComparableState {
  readonly position: Position;
  /** Applied one after the other they make the state, or those scopes of it. */
  writes(scopes?: readonly Bytes[]): AsyncIterable<readonly RawWrite[]>;
}

/** A past moment that the state's own history still has. */
export function historySource(past: StateSnapshot): RecoverySource {
  const { storeId, seq, timeMs } = past;
  return {
    ...comparable(past),
    position: { storeId, seq, timeMs },
    writes: (scopes) => past.entries(scopes),
  };
}
