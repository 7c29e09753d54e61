import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openShared } from '../../src/share/shared-store.js';
import type { StateBackend } from '../../src/state/backend.js';
import { createLevelBackend } from '../../src/state/backends/level.js';
import { createMemoryBackend } from '../../src/state/backends/memory.js';
import { openStore } from '../../src/state/store.js';
import type { HistoryRecord, LiveSnapshot, RawEntry, StateStore, StoreOptions } from '../../src/state/types.js';
import { textOf, utf8 } from '../../src/util/bytes.js';
import { temporaryDirectory } from './temporary.js';

/** A backend that cannot read at once, as one behind a network cannot. */
function asynchronous(backend: StateBackend): StateBackend {
  return new Proxy(backend, {
    get: (target, name) => {
      if (name === 'getSync') return undefined;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

export const backends: Record<string, () => Promise<StateBackend>> = {
  memory: async () => createMemoryBackend(),
  'memory without synchronous reads': async () => asynchronous(createMemoryBackend()),
  level: async () => createLevelBackend({ directory: join(await temporaryDirectory(), 'state') }),
  'level with table files': async () =>
    createLevelBackend({ directory: join(await temporaryDirectory(), 'state'), loadFromBytes: 0 }),
};

/** Opens a store that is closed after the test. */
export async function openForTest(backend: StateBackend, options?: StoreOptions): Promise<StateStore> {
  return closedAfterTest(await openStore(backend, options));
}

function closedAfterTest<T extends { close(): Promise<unknown> }>(opened: T): T {
  onTestFinished(async () => void (await opened.close().catch(() => undefined)));
  return opened;
}

/** One member of those who share the state in `directory`, closed after the test. The first one holds it, the others are its guests. */
export async function openSharedForTest(directory: string, options: StoreOptions = {}): Promise<StateStore> {
  const { readOnly = false, ...storeOptions } = options;
  return closedAfterTest(
    await openShared({
      directory,
      openStore: () => openStore(createLevelBackend({ directory }), storeOptions),
      durability: options.durability ?? 'interval',
      maxValueBytes: options.maxValueBytes ?? 10_000_000,
      readOnly,
      timeoutMs: 5000,
      isWanted: () => true,
    }),
  );
}

/** Opens a store of each kind: on a backend, or held by somebody else. */
export const openers: Record<string, (options?: StoreOptions) => Promise<StateStore>> = {
  ...Object.fromEntries(
    Object.entries(backends).map(([kind, make]) => [
      kind,
      async (options?: StoreOptions) => openForTest(await make(), options),
    ]),
  ),
  'a holder of it': async (options) => {
    const directory = join(await temporaryDirectory(), 'state');
    const { readOnly: _, ...ofHolder } = options ?? {};
    await openSharedForTest(directory, ofHolder);
    return await openSharedForTest(directory, options);
  },
};

/** A store seen as text: for tests about other things than bytes. */
export const put = (store: StateStore, key: string, value: string | null, scope = 's') =>
  store.write([{ scope: utf8(scope), key: utf8(key), value: value === null ? null : utf8(value) }]);

export async function read(store: StateStore, key: string, scope = 's'): Promise<string | undefined> {
  const entry = await store.get(utf8(scope), utf8(key));
  return entry && textOf(entry.value);
}

export const texts = (names: readonly Uint8Array[]): (string | undefined)[] => names.map(textOf);

/** Every entry as `scope/key=value`. */
export async function dump(state: { entries(): AsyncIterable<readonly RawEntry[]> }): Promise<string[]> {
  const lines: string[] = [];
  for await (const page of state.entries())
    for (const { key, value } of page) lines.push(`${textOf(key)!.replace('\0\x01', '/')}=${textOf(value)}`);
  return lines;
}

export async function dumpLive(store: StateStore): Promise<string[]> {
  const snapshot = await store.snapshot();
  try {
    return await dump(snapshot);
  } finally {
    await snapshot.close();
  }
}

export async function changesOf(snapshot: LiveSnapshot, seq = 0): Promise<HistoryRecord[]> {
  const records: HistoryRecord[] = [];
  for await (const page of snapshot.changesSince(seq)) records.push(...page);
  return records;
}

/** Changes as `seq key=value`. */
export const describeChanges = (records: readonly HistoryRecord[]): string[] =>
  records.map((r) =>
    'rewind' in r ? `${r.seq} rewind to ${r.rewind.toSeq}` : `${r.seq} ${textOf(r.key)}=${r.value && textOf(r.value)}`,
  );
