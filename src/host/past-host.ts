import { decodeKey } from '../state/key.js';
import type { Change, RawEntry } from '../state/types.js';
import { Host } from './host.js';
import { openPast } from './past.js';

/**
 * A host on a throw-away copy, in memory, of the state as it was at `when` (as `openPast` takes it). It has no backups: what is done to
 * the copy must not reach the archives of the real state. `host` may be closed afterwards.
 */
export async function openPastHost(host: Host, when: string | number): Promise<Host> {
  const config = structuredClone(host.config);
  config.runtime.state_persistence.backend_type = 'memory';
  config.runtime.state_persistence.backup = undefined;
  const copy = new Host({ config });
  const past = await openPast(host, when);
  try {
    const store = await copy.store();
    for await (const page of past.entries()) await store.write(page.map(changeOf));
  } finally {
    await past.close();
  }
  return copy;
}

function changeOf({ key: raw, value }: RawEntry): Change {
  return { ...decodeKey(raw)!, value };
}
