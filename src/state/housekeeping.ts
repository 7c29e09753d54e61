import type { Segment, StateBackend } from './backend.js';
import type { Catalog, Documents } from './catalog.js';
import { readHeader } from './history.js';
import { allOf, floorPrefix, generationPrefix } from './layout.js';
import { pruned } from './swap.js';
import { trimHistory } from './trim.js';
import type { StoreOptions } from './types.js';

const INTERVAL_MS = 60_000;
/** The part of its limit that history is trimmed to. */
const TRIM_TO = 0.9;

/** What housekeeping needs of its store. */
export interface Household {
  readonly backend: StateBackend;
  readonly documents: Documents;
  readonly history: NonNullable<StoreOptions['history']>;
  /** Generations under construction: garbage as long as they are not activated, but not yet to be cleared. */
  readonly building: ReadonlySet<number>;
  nowMs(): number;
  changeCatalog(change: (catalog: Catalog) => Catalog): Promise<void>;
}

/**
 * What a store does in the background, each minute and whenever it has cause: holds history to its age and size, lets go of
 * rollback points, and clears what nothing points to. What is not done when the process ends is done at the next open.
 */
export class Housekeeping {
  readonly #house: Household;
  readonly #timer: NodeJS.Timeout;
  #line: Promise<void> = Promise.resolve();
  #isWanted = false;
  #isOver = false;

  constructor(house: Household) {
    this.#house = house;
    this.#timer = setInterval(() => this.start(), INTERVAL_MS).unref();
  }

  /** Begins a round, unless one is about to begin. */
  start(): void {
    if (this.#isWanted || this.#isOver) return;
    this.#isWanted = true;
    // What fails now (a full disk) is tried again in the next round, and tells whoever writes by itself.
    this.#inLine(() => this.#round()).catch(() => undefined);
  }

  /** Trims the oldest segments, as long as `isTrimmed` says so. */
  async trim(isTrimmed: (segment: Segment, freedBytes: number) => boolean): Promise<void> {
    await this.#inLine(() => this.#trim(isTrimmed));
  }

  /** Begins nothing more. */
  stop(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
  }

  /** One at a time: two that trim together would undo each other's horizon. */
  async #inLine(work: () => Promise<void>): Promise<void> {
    const done = this.#line.then(work);
    this.#line = done.catch(() => undefined);
    await done;
  }

  async #round(): Promise<void> {
    this.#isWanted = false;
    if (this.#isOver) return;
    const { documents, changeCatalog } = this.#house;
    await this.#trim((segment, freedBytes) => this.#isExpired(segment, freedBytes));
    const isPrunable = pruned(documents.catalog, this.#house.nowMs()) !== documents.catalog;
    if (isPrunable) await changeCatalog((catalog) => pruned(catalog, this.#house.nowMs()));
    await this.#collectGarbage();
  }

  async #collectGarbage(): Promise<void> {
    const { backend, building, documents, changeCatalog } = this.#house;
    for (const item of documents.catalog.garbage) {
      if (this.#isOver) return;
      // Looked up anew each time: what was under construction may be the live generation by now.
      const isGarbage = documents.catalog.garbage.includes(item);
      if (!isGarbage || ('generation' in item && building.has(item.generation))) continue;
      const prefix = 'generation' in item ? generationPrefix(item.generation) : floorPrefix(item.timeline);
      await backend.clearRange(allOf(prefix));
      await changeCatalog((catalog) => ({ ...catalog, garbage: catalog.garbage.filter((other) => other !== item) }));
    }
  }

  /** What is too old, or too much. */
  #isExpired(segment: Segment, freedBytes: number): boolean {
    const { documents, history, nowMs } = this.#house;
    const { maxAgeSeconds, maxBytes } = history;
    const bytes = documents.head.historyBytes;
    // Well below the limit, so that it is not reached again at once.
    if (bytes > maxBytes && bytes - freedBytes > maxBytes * TRIM_TO) return true;
    return readHeader(segment).lastTimeMs < nowMs() - maxAgeSeconds * 1000;
  }

  async #trim(isTrimmed: (segment: Segment, freedBytes: number) => boolean): Promise<void> {
    const { backend, documents, history } = this.#house;
    const plan = { isTrimmed, keepFloor: history.enabled };
    await trimHistory(backend, documents.catalog, documents.horizon, plan, (next, freedBytes) => {
      documents.horizon = next;
      documents.head.historyBytes -= freedBytes;
    });
  }
}
