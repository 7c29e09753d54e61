import type { Bytes } from '../util/bytes.js';
import { increased } from '../util/increment.js';
import type { Receipt, StateStore } from './types.js';

/** `StateStore.increment` on a store's own reads and conditional writes; the receipt is made of the sum. */
export async function incrementIn(
  store: Pick<StateStore, 'get' | 'writeIf'>,
  { scope, key, by }: { scope: Bytes; key: Bytes; by: Bytes },
  writer?: unknown,
  receiptOf?: (sum: Bytes) => Receipt<unknown> | undefined,
): Promise<Bytes> {
  for (;;) {
    const old = await store.get(scope, key);
    const value = increased(old?.value, by);
    const check = { scope, key, seq: old?.seq ?? 0 };
    // Ends: of those that collide, one always gets through.
    if (await store.writeIf([check], [{ scope, key, value }], writer, receiptOf?.(value))) return value;
  }
}
