import type { Change, ChangeBatch } from './types.js';

/** The change that the batch is at. */
export function changeOf({ bytes, scope, keyAt, keyBytes, valueBytes, timeMs }: ChangeBatch): Change {
  const valueAt = keyAt + keyBytes;
  const value = valueBytes === 0 ? null : bytes.subarray(valueAt, valueAt + valueBytes);
  return { scope, key: bytes.subarray(keyAt, valueAt), value, timeMs };
}

export function changesOf(batch: ChangeBatch): Change[] {
  const changes: Change[] = [];
  while (batch.next()) changes.push(changeOf(batch));
  return changes;
}
