import { LlmspellError } from '../errors.js';
import type { Bytes } from '../util/bytes.js';
import type { BackendSnapshot } from './backend.js';
import { type Documents, liveTimeline } from './catalog.js';
import { allEntries, type EntrySource, entriesUnder, listKeys, listScopes } from './entries.js';
import { recordsSince, toHistoryRecord } from './history.js';
import { encodeKey } from './key.js';
import { generationPrefix } from './layout.js';
import { schemaVersionAt } from './schema-version.js';
import type {
  HistoryRecord,
  ListOptions,
  LiveSnapshot,
  Position,
  RawEntry,
  SchemaMark,
  StateSnapshot,
} from './types.js';

/** A moment of the state, read through an {@link EntrySource} that holds still. */
export class SourceSnapshot implements StateSnapshot {
  readonly storeId: string;
  readonly seq: number;
  readonly timeMs: number;
  readonly schemaVersion: string | undefined;
  readonly #source: EntrySource;
  readonly #backend: BackendSnapshot;

  constructor(
    source: EntrySource,
    backend: BackendSnapshot,
    { storeId, seq, timeMs }: Position,
    schemaMarks: readonly SchemaMark[] = [],
  ) {
    this.#source = source;
    this.schemaVersion = schemaVersionAt(schemaMarks, seq);
    this.#backend = backend;
    this.storeId = storeId;
    this.seq = seq;
    this.timeMs = timeMs;
  }

  async get(scope: Bytes, key: Bytes): Promise<Bytes | undefined> {
    return (await this.#source.get(encodeKey(scope, key)))?.value;
  }

  async list(scope: Bytes, options?: ListOptions): Promise<Bytes[]> {
    return await listKeys(this.#source, scope, options);
  }

  async scopes(): Promise<Bytes[]> {
    return await listScopes(this.#source);
  }

  entries(scopes?: readonly Bytes[]): AsyncIterable<readonly RawEntry[]> {
    return allEntries(this.#source, scopes);
  }

  keys(scopes?: readonly Bytes[]): AsyncIterable<readonly RawEntry[]> {
    return allEntries(this.#source, scopes, true);
  }

  async close(): Promise<void> {
    await this.#backend.close();
  }
}

/** What the store was when the backend's snapshot was taken; its documents are those of that moment. */
export class CommittedSnapshot extends SourceSnapshot implements LiveSnapshot {
  readonly historyStart: number;
  readonly historyStartMs: number;
  readonly restoredFrom: LiveSnapshot['restoredFrom'];
  readonly schemaMarks: readonly SchemaMark[];
  readonly #view: BackendSnapshot;

  constructor(view: BackendSnapshot, { catalog, head, horizon }: Documents) {
    const { generation } = liveTimeline(catalog);
    const marks = catalog.schemaMarks ?? [];
    super(entriesUnder(view, generationPrefix(generation)), view, { ...head, storeId: catalog.storeId }, marks);
    this.schemaMarks = marks;
    this.#view = view;
    this.historyStart = horizon.seq;
    this.historyStartMs = horizon.timeMs;
    this.restoredFrom = catalog.restoredFrom;
  }

  async *changesSince(seq: number): AsyncIterable<readonly HistoryRecord[]> {
    if (seq < this.historyStart)
      throw new LlmspellError(
        'HISTORY_UNREACHABLE',
        `The changes since ${seq} are no longer all kept: history begins after change ${this.historyStart}.`,
      );
    for await (const page of recordsSince(this.#view, seq)) {
      // What a swap has recorded so far does not count until it takes place.
      if (page[0] !== undefined && page[0].seq > this.seq) return;
      yield page.map(toHistoryRecord);
    }
  }
}
