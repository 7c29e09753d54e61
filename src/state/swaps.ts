import { LlmspellError } from '../errors.js';
import type { StateBackend } from './backend.js';
import { type Catalog, type Documents, putCatalog } from './catalog.js';
import { BackendGeneration, type RecordedChanges, recordChanges } from './generation.js';
import type { Journal } from './journal.js';
import type { LiveReads } from './live-reads.js';
import { schemaVersionAt } from './schema-version.js';
import { swapped } from './swap.js';
import type { ActivatedGeneration, Change, GenerationOrigin, GenerationWriter, Position, Receipt } from './types.js';
import type { Group } from './write-queue.js';

const NO_CHANGES: AsyncIterable<readonly Change[]> = { [Symbol.asyncIterator]: async function* () {} };

/** What swapping needs of its store. */
export interface SwapHost {
  readonly backend: StateBackend;
  readonly documents: Documents;
  readonly journal: Journal;
  readonly reads: LiveReads;
  /** Something may be garbage now. */
  freed(): void;
  /** Throws where the store is closed or read-only. */
  assertWritable(): void;
  /** Throws where the state is of a version that is not written to. */
  assertFit(): void;
}

/** Generations: built beside the live one, and made the live one in a commit of its own. */
export class Swaps {
  /** Generations under construction: garbage as long as they are not activated, but not yet to be cleared. */
  readonly building = new Set<number>();
  readonly #host: SwapHost;
  /** While the changes of a swap are recorded: ordinary writes wait for it. */
  #pause: Promise<unknown> | undefined;

  constructor(host: SwapHost) {
    this.#host = host;
  }

  /** What ordinary writes have to wait for, and look again then. */
  get pause(): Promise<unknown> | undefined {
    return this.#pause;
  }

  async newGeneration(): Promise<GenerationWriter> {
    let generation = 0;
    await this.changeCatalog((catalog) => {
      generation = catalog.nextGeneration;
      this.building.add(generation);
      return { ...catalog, nextGeneration: generation + 1, garbage: [...catalog.garbage, { generation }] };
    });
    return new BackendGeneration(this.#host.backend, generation, {
      activate: (number, origin, written) => this.#activate(number, origin, written),
      discard: async (number) => this.#discard(number),
    });
  }

  /** As `StateStore.rollback`. */
  async rollback(id: string, receipt?: Receipt<ActivatedGeneration>): Promise<ActivatedGeneration> {
    const { storeId, rollbackPoints } = this.#host.documents.catalog;
    const point = rollbackPoints.find((one) => one.id === id);
    if (point === undefined) throw new LlmspellError('NOT_FOUND', `There is no rollback point ${id}.`, { subject: id });
    const position = { storeId, seq: point.seq, timeMs: point.timeMs };
    const schema = { version: point.schemaVersion };
    const origin = { description: id, rewind: { position }, schema, ...(receipt && { receipt }) };
    return await this.#paused(() => this.#swap(point.generation, origin));
  }

  /** In a commit of its own, behind everything accepted before. */
  async changeCatalog(change: (catalog: Catalog, group: Group) => Catalog): Promise<void> {
    const { documents, journal, reads } = this.#host;
    await reads.withLookup([], async () => {
      const before = documents.catalog;
      try {
        await journal.queue.insert((group) => {
          documents.catalog = change(before, group);
          group.operations.push(putCatalog(documents.catalog));
          journal.changed();
        });
      } catch (error) {
        documents.catalog = before;
        throw error;
      }
    });
  }

  /** @param written resolves when the generation is whole */
  async #activate(generation: number, origin: GenerationOrigin, written: Promise<void>): Promise<ActivatedGeneration> {
    const { assertFit, assertWritable, backend, documents, reads } = this.#host;
    assertWritable();
    // What brings a version of its own is how one gets out of a newer one.
    if (origin.rewind === undefined && origin.schema === undefined) assertFit();
    return await this.#paused(async () => {
      // Those who were let in before the pause.
      await reads.turn;
      await written;
      if (origin.expectedSeq !== undefined) this.#assertUnchangedSince(origin.expectedSeq);
      if (origin.rewind !== undefined) return await this.#swap(generation, origin);
      try {
        return await this.#activateChanged(generation, origin);
      } catch (error) {
        // Where this fails too, the next open does it.
        await backend.dropChanges(documents.head.seq).catch(() => undefined);
        throw error;
      }
    });
  }

  /** The changes are numbered from the present one on: nobody else may write until the swap. */
  async #activateChanged(generation: number, origin: GenerationOrigin): Promise<ActivatedGeneration> {
    const { assertWritable, backend, documents, journal } = this.#host;
    assertWritable();
    await journal.queue.flush();
    const { seq } = journal.position();
    const changes = origin.changes ?? NO_CHANGES;
    const recorded = await recordChanges(backend, changes, seq + 1, () => journal.nowMs());
    const version = documents.catalog.schemaMarks?.at(-1)?.version;
    const isOtherSchema = origin.schema !== undefined && origin.schema.version !== version;
    if (recorded.last !== undefined || isOtherSchema) return await this.#swap(generation, origin, recorded);
    this.#discard(generation);
    return { seq };
  }

  /** Calls `work` while ordinary writes, and other swaps, wait. */
  async #paused<T>(work: () => Promise<T>): Promise<T> {
    while (this.#pause !== undefined) await this.#pause;
    const done = work();
    this.#pause = done.catch(() => undefined).then(() => (this.#pause = undefined));
    return await done;
  }

  /** Makes `generation` the live one, in a commit of its own; everything accepted after it goes there. */
  async #swap(
    generation: number,
    origin: GenerationOrigin,
    changes: RecordedChanges = { last: undefined, earlierBytes: 0 },
  ): Promise<ActivatedGeneration> {
    const { freed, journal } = this.#host;
    let result: ActivatedGeneration | undefined;
    await this.changeCatalog((catalog, group) => {
      const isKept = catalog.rollbackPoints.some((point) => point.generation === generation);
      if (!isKept && !this.building.has(generation))
        throw new LlmspellError('NOT_FOUND', 'What was to become the state is not there any more.');
      const from = journal.position();
      journal.recordSwap(group, origin, changes);
      const to = journal.position();
      const swap = swapped(catalog, {
        generation,
        from,
        to,
        description: `before ${origin.description}`,
        keepOld: origin.keepOld ?? true,
        restoredFrom: restoredFrom(catalog, origin, to),
        schemaVersion: origin.schema ? origin.schema.version : schemaVersionAt(catalog.schemaMarks ?? [], from.seq),
      });
      result = swap.result;
      const { receipt } = origin;
      if (receipt) group.receipts.set(receipt.name, receipt.content(result));
      return swap.catalog;
    });
    this.building.delete(generation);
    freed();
    return result!;
  }

  #discard(generation: number): void {
    this.building.delete(generation);
    this.#host.freed();
  }

  #assertUnchangedSince(expectedSeq: number): void {
    const { seq } = this.#host.journal.position();
    if (expectedSeq !== seq)
      throw new LlmspellError('RESTORE_FAILED', `The state has changed since change ${expectedSeq}: it is at ${seq}.`, {
        hint: 'Try again; nothing has been changed.',
      });
  }
}

function restoredFrom(
  catalog: Catalog,
  { rewind }: GenerationOrigin,
  { seq, timeMs }: Position,
): Catalog['restoredFrom'] {
  if (rewind === undefined) return catalog.restoredFrom;
  return rewind.backupId === undefined ? undefined : { backupId: rewind.backupId, seq, timeMs };
}
