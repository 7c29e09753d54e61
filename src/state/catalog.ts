import { LlmspellError } from '../errors.js';
import { type Bytes, utf8 } from '../util/bytes.js';
import { randomHex } from '../util/hash.js';
import type { BackendOperation, BackendView } from './backend.js';
import { ownKey, seal, unseal } from './layout.js';
import { schemaVersionAt } from './schema-version.js';
import type { RollbackPoint, SchemaMark } from './types.js';

/** The store's own documents. Each is small and written whole, in the commit whose effect it tells of. */
const NAME = { catalog: 'catalog', head: 'head', horizon: 'horizon' } as const;

const FORMAT_VERSION = 1;

/**
 * A stretch of history without a swap of generations (what PostgreSQL calls a timeline): the changes after `startSeq` up to
 * `endSeq` were made to `generation`.
 */
export interface Timeline {
  id: number;
  generation: number;
  /** The change that began it (a rewind, or the last of the changes of a swap); 0 for the first. */
  startSeq: number;
  startTimeMs: number;
  /** Absent in the live one, which is the last. */
  endSeq?: number;
}

export interface StoredRollbackPoint extends RollbackPoint {
  generation: number;
  /** Of its schema; absent where it had none. */
  schemaVersion?: string;
}

/** What there is besides entries and history. Changes with a swap of generations, not with ordinary writes. */
export interface Catalog {
  formatVersion: number;
  storeId: string;
  nextGeneration: number;
  /** Oldest first. Those whose generation is gone are left out. */
  timelines: Timeline[];
  /** Newest first. */
  rollbackPoints: StoredRollbackPoint[];
  restoredFrom?: { backupId: string; seq: number; timeMs: number };
  /** Which version of the schema the state has been of, ascending; absent where it never had one. */
  schemaMarks?: SchemaMark[];
  /** What nothing points to any more, or not yet (a generation under construction): cleared when the store is opened. */
  garbage: Garbage[];
}

/** All entries of a generation, or the floor of a timeline. */
export type Garbage = { generation: number } | { timeline: number };

/** The last change on disk. */
export interface Head {
  seq: number;
  timeMs: number;
  /** Of all segments kept. */
  historyBytes: number;
}

/** The change from which on history is kept: those above it are there. */
export interface Horizon {
  seq: number;
  timeMs: number;
  /** Whether what was trimmed left its values behind in the floor; not where history was switched off. */
  hasFloor: boolean;
}

export interface Documents {
  catalog: Catalog;
  head: Head;
  horizon: Horizon;
}

/** Of the newest of them the past can be told; each is made by a swap, so there are few. */
const MAX_MARKS = 200;

/** The marks with a new one, where the version is another one than before. */
export function withMark(marks: readonly SchemaMark[] = [], seq: number, version: string | undefined): SchemaMark[] {
  if (schemaVersionAt(marks, seq) === version) return [...marks];
  return [...marks, { seq, ...(version !== undefined && { version }) }].slice(-MAX_MARKS);
}

export const liveTimeline = (catalog: Catalog): Timeline => catalog.timelines.at(-1)!;

export const newDocuments = (): Documents => ({
  catalog: {
    formatVersion: FORMAT_VERSION,
    storeId: randomHex(8),
    nextGeneration: 2,
    timelines: [{ id: 1, generation: 1, startSeq: 0, startTimeMs: 0 }],
    rollbackPoints: [],
    garbage: [],
  },
  head: { seq: 0, timeMs: 0, historyBytes: 0 },
  horizon: { seq: 0, timeMs: 0, hasFloor: true },
});

/** Undefined where the backend holds no store yet. Throws `STATE_DAMAGED`, or `STATE_UNAVAILABLE` for a newer format. */
export async function readDocuments(view: BackendView): Promise<Documents | undefined> {
  const [catalog, head, horizon] = await Promise.all([
    readDocument<Catalog>(view, NAME.catalog),
    readDocument<Head>(view, NAME.head),
    readDocument<Horizon>(view, NAME.horizon),
  ]);
  if (catalog === undefined && head === undefined && horizon === undefined) return undefined;
  if (catalog === undefined || head === undefined || horizon === undefined) throw damaged('catalog');
  if (catalog.formatVersion > FORMAT_VERSION)
    throw new LlmspellError(
      'STATE_UNAVAILABLE',
      `The state is of format ${catalog.formatVersion}, which is newer than this llmspell.`,
      {
        hint: 'Use the newer version of llmspell that wrote it.',
      },
    );
  return { catalog, head, horizon };
}

export const putCatalog = (catalog: Catalog): BackendOperation => putDocument(NAME.catalog, catalog);
export const putHead = (head: Head): BackendOperation => putDocument(NAME.head, head);
export const putHorizon = (horizon: Horizon): BackendOperation => putDocument(NAME.horizon, horizon);

export const putDocuments = ({ catalog, head, horizon }: Documents): BackendOperation[] => [
  putCatalog(catalog),
  putHead(head),
  putHorizon(horizon),
];

function putDocument(name: string, content: object): BackendOperation {
  return { type: 'put', key: ownKey(name), value: seal(utf8(name), 0, utf8(JSON.stringify(content))) };
}

async function readDocument<T>(view: BackendView, name: string): Promise<T | undefined> {
  const sealed = await view.get(ownKey(name));
  return sealed === undefined ? undefined : (JSON.parse(unsealDocument(name, sealed)) as T);
}

function unsealDocument(name: string, sealed: Bytes): string {
  const content = unseal(utf8(name), sealed);
  if (content === undefined) throw damaged(name);
  return Buffer.from(content.value).toString();
}

const damaged = (name: string): LlmspellError =>
  new LlmspellError('STATE_DAMAGED', `The store's own record "${name}" is damaged.`, { subject: name });
