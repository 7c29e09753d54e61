import { scopeFilter } from '../backup/chain-state.js';
import { LlmspellError } from '../errors.js';
import { decodeKey, encodeKey } from '../state/key.js';
import type { LiveSnapshot, Position, RawEntry } from '../state/types.js';
import { type Bytes, bytesOfLatin1, latin1Of } from '../util/bytes.js';

/** With more changes than these, to walk all keys costs less. */
const MAX_CHANGES = 50_000;

/**
 * The keys that are there now, in byte order, without those that must have been there at a past moment too, as the history since then does not
 * name them; all keys, where the history does not reach back there, or tells too much.
 */
export async function* goneCandidates(
  present: LiveSnapshot,
  past: Position,
  scopes: readonly Bytes[] | undefined,
): AsyncIterable<readonly Pick<RawEntry, 'key'>[]> {
  const changed = await keysChangedSince(present, past);
  if (changed === undefined) return yield* present.keys(scopes);
  const isWanted = scopeFilter(scopes);
  const kept: { key: Bytes }[] = [];
  for (const key of [...changed].sort().map(bytesOfLatin1)) {
    const { scope, key: name } = decodeKey(key)!;
    if (isWanted(key) && (await present.get(scope, name)) !== undefined) kept.push({ key });
  }
  yield kept;
}

/** All keys that the present and a past moment may differ in; undefined where that cannot be told, or takes long. */
async function keysChangedSince(present: LiveSnapshot, past: Position): Promise<Set<string> | undefined> {
  if (past.storeId !== present.storeId || past.seq < present.historyStart || past.seq > present.seq) return undefined;
  if (present.seq - past.seq > MAX_CHANGES) return undefined;
  const changed = new Set<string>();
  try {
    for await (const page of present.changesSince(past.seq))
      for (const record of page) {
        if (!('rewind' in record)) changed.add(latin1Of(encodeKey(record.scope, record.key)));
        // Taken back to between the two, it differs in nothing else.
        else if (record.rewind.storeId !== past.storeId || record.rewind.toSeq < past.seq) return undefined;
      }
  } catch (error) {
    // What is wrong with the history does not keep anybody from a restore.
    if (error instanceof LlmspellError && error.code === 'STATE_DAMAGED') return undefined;
    throw error;
  }
  return changed;
}
