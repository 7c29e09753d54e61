import type { Change } from '../state/types.js';
import type { Bytes } from '../util/bytes.js';

/** For each change: scope (null: that of the change before), key, value, time (null: when the store takes it). */
export type PackedChanges = readonly (Bytes | number | null)[];

/** Changes as they travel: few words, and nothing of them is encoded anew. */
export function packChanges(changes: readonly Change[]): PackedChanges {
  const packed: (Bytes | number | null)[] = [];
  let scope: Bytes | undefined;
  for (const change of changes) {
    packed.push(change.scope === scope ? null : change.scope, change.key, change.value, change.timeMs ?? null);
    scope = change.scope;
  }
  return packed;
}

/** The reverse of {@link packChanges}. */
export function unpackChanges(packed: PackedChanges): Change[] {
  const changes: Change[] = [];
  let scope = new Uint8Array() as Bytes;
  for (let i = 0; i < packed.length; i += 4) {
    const [ownScope, key, value, timeMs] = packed.slice(i, i + 4) as [Bytes | null, Bytes, Bytes | null, number | null];
    scope = ownScope ?? scope;
    changes.push({ scope, key, value, ...(timeMs !== null && { timeMs }) });
  }
  return changes;
}
