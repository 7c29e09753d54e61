import { randomInt } from 'node:crypto';
import { decodeKey, encodeKey } from '../state/key.js';
import type {
  ActivatedGeneration,
  Change,
  GenerationOrigin,
  GenerationWriter,
  ListOptions,
  LiveSnapshot,
  Position,
  RawEntry,
  StateSnapshot,
  StateStore,
} from '../state/types.js';
import type { Bytes } from '../util/bytes.js';
import { holderEnded } from './holder-gone.js';
import type { Asker } from './operations.js';
import type { FlatEntries, Handle, Page } from './protocol.js';

/** What there is to know of a live snapshot at once. */
export type SnapshotFacts = Position &
  Pick<LiveSnapshot, 'historyStart' | 'historyStartMs' | 'restoredFrom' | 'schemaVersion' | 'schemaMarks'>;
/** And of a past one. */
export type PastFacts = Position & Pick<LiveSnapshot, 'schemaVersion'>;

/** What can be asked about what a guest has open with the holder. */
export interface HandleOperations {
  'snapshot.open'(): Promise<[Handle, SnapshotFacts]>;
  'past.open'(seq: number): Promise<[Handle, PastFacts]>;
  'snapshot.get'(snapshot: Handle, scope: Bytes, key: Bytes): Promise<Bytes | undefined>;
  'snapshot.list'(snapshot: Handle, scope: Bytes, options: ListOptions): Promise<Bytes[]>;
  'snapshot.scopes'(snapshot: Handle): Promise<Bytes[]>;
  'snapshot.entries'(snapshot: Handle, scopes: readonly Bytes[] | null): Handle;
  'snapshot.keys'(snapshot: Handle, scopes: readonly Bytes[] | null): Handle;
  'snapshot.changes'(snapshot: Handle, seq: number): Handle;
  'generation.open'(): Promise<Handle>;
  'generation.write'(generation: Handle, entries: FlatEntries): Promise<void>;
  'generation.entries'(generation: Handle, scopes: readonly Bytes[] | null): Handle;
  'generation.verify'(generation: Handle): Promise<boolean>;
  /** Adds to the changes that `activate` then records; the first call, with none, begins them. */
  'generation.changes'(generation: Handle, entries: FlatEntries): void;
  'generation.activate'(
    generation: Handle,
    origin: Omit<GenerationOrigin, 'changes' | 'receipt'>,
  ): Promise<ActivatedGeneration>;
  next(iterator: Handle): Promise<Page>;
  close(handle: Handle): Promise<void>;
}

interface Building {
  writer: GenerationWriter;
  changes: Change[][];
  /** Where the state was when the first changes came. */
  fromSeq?: number | undefined;
}

/** What one guest has open: freed when it goes. */
export class Handles {
  readonly #store: StateStore;
  readonly #snapshots = new Map<Handle, StateSnapshot>();
  readonly #generations = new Map<Handle, Building>();
  readonly #iterators = new Map<Handle, AsyncIterator<readonly unknown[]>>();
  /** Not from 1: what was opened with an earlier holder must not be taken for something else. */
  #last = randomInt(2 ** 40);

  constructor(store: StateStore) {
    this.#store = store;
  }

  /** Whether something is being read or built that cannot be begun again by itself. */
  get isBusy(): boolean {
    return this.#generations.size > 0 || [...this.#snapshots.values()].some((snapshot) => 'changesSince' in snapshot);
  }

  operations({ receipt }: Asker): HandleOperations {
    return {
      'snapshot.open': async () => {
        const snapshot = await this.#store.snapshot();
        const { storeId, seq, timeMs, historyStart, historyStartMs, restoredFrom, schemaVersion, schemaMarks } =
          snapshot;
        const facts = { storeId, seq, timeMs, historyStart, historyStartMs, restoredFrom, schemaVersion, schemaMarks };
        return [this.#add(this.#snapshots, snapshot), facts];
      },
      'past.open': async (seq) => {
        const past = await this.#store.at(seq);
        const { storeId, timeMs, schemaVersion } = past;
        return [this.#add(this.#snapshots, past), { storeId, seq, timeMs, schemaVersion }];
      },
      'snapshot.get': (at, scope, key) => found(this.#snapshots, at).get(scope, key),
      'snapshot.list': (at, scope, options) => found(this.#snapshots, at).list(scope, options),
      'snapshot.scopes': (at) => found(this.#snapshots, at).scopes(),
      'snapshot.entries': (at, scopes) => this.#iterate(found(this.#snapshots, at).entries(scopes ?? undefined), flat),
      'snapshot.keys': (at, scopes) => this.#iterate(found(this.#snapshots, at).keys(scopes ?? undefined), flatKeys),
      'snapshot.changes': (at, seq) => {
        const snapshot = found(this.#snapshots, at) as LiveSnapshot;
        return this.#iterate(snapshot.changesSince(seq), (page) => page);
      },
      'generation.open': async () =>
        this.#add(this.#generations, { writer: await this.#store.newGeneration(), changes: [] }),
      'generation.write': (at, entries) => found(this.#generations, at).writer.write(pairs(entries)),
      'generation.entries': (at, scopes) =>
        this.#iterate(found(this.#generations, at).writer.entries(scopes ?? undefined), flat),
      'generation.verify': (at) => found(this.#generations, at).writer.verify(),
      'generation.changes': (at, entries) => {
        const building = found(this.#generations, at);
        // None begin it, anew where it was begun before.
        if (entries.length === 0) building.changes.splice(0);
        if (entries.length === 0) building.fromSeq = this.#store.position().seq;
        building.changes.push(pairs(entries).map(changeOf));
      },
      'generation.activate': async (at, origin) => {
        const building = found(this.#generations, at);
        const [changes, expectedSeq] = [building.changes.splice(0), building.fromSeq];
        building.fromSeq = undefined;
        return await building.writer.activate({
          ...(expectedSeq !== undefined && { expectedSeq }),
          ...origin,
          ...(origin.rewind === undefined && { changes: each(changes) }),
          ...(receipt && { receipt: receipt((activated: ActivatedGeneration) => activated) }),
        });
      },
      next: async (at) => {
        const { done, value } = await found(this.#iterators, at).next();
        if (done !== true) return value as Page;
        this.#iterators.delete(at);
        return undefined;
      },
      close: (handle) => this.#close(handle),
    };
  }

  async closeAll(): Promise<void> {
    const open = [this.#iterators, this.#snapshots, this.#generations].flatMap((handles) => [...handles.keys()]);
    for (const handle of open) await this.#close(handle).catch(() => undefined);
  }

  async #close(handle: Handle): Promise<void> {
    const [iterator, snapshot, building] = [
      this.#iterators.get(handle),
      this.#snapshots.get(handle),
      this.#generations.get(handle),
    ];
    for (const handles of [this.#iterators, this.#snapshots, this.#generations]) handles.delete(handle);
    await iterator?.return?.();
    await snapshot?.close();
    await building?.writer.discard();
  }

  #add<T>(handles: Map<Handle, T>, opened: T): Handle {
    handles.set(++this.#last, opened);
    return this.#last;
  }

  #iterate<T>(pages: AsyncIterable<readonly T[]>, flatten: (page: readonly T[]) => readonly unknown[]): Handle {
    const flattened = async function* () {
      for await (const page of pages) yield flatten(page);
    };
    return this.#add(this.#iterators, flattened());
  }
}

function found<T>(handles: ReadonlyMap<Handle, T>, handle: Handle): T {
  const open = handles.get(handle);
  // The guest had it open with an earlier holder.
  if (open === undefined) throw holderEnded();
  return open;
}

export const flat = (page: readonly { key: Bytes; value: Bytes | null }[]): FlatEntries =>
  page.flatMap(({ key, value }) => [key, value]);

const flatKeys = (page: readonly RawEntry[]): FlatEntries => page.flatMap(({ key }) => [key, null]);

/** The reverse of {@link flat}. */
export function pairs(entries: FlatEntries): { key: Bytes; value: Bytes | null }[] {
  const list: { key: Bytes; value: Bytes | null }[] = [];
  for (let i = 0; i < entries.length; i += 2) list.push({ key: entries[i]!, value: entries[i + 1] ?? null });
  return list;
}

/** A change by its raw key, as `flat` takes it. */
export const rawChange = ({ scope, key, value }: Change): { key: Bytes; value: Bytes | null } => ({
  key: encodeKey(scope, key),
  value,
});

const changeOf = ({ key: raw, value }: { key: Bytes; value: Bytes | null }): Change => ({ ...decodeKey(raw)!, value });

async function* each<T>(pages: readonly T[]): AsyncGenerator<T> {
  yield* pages;
}
