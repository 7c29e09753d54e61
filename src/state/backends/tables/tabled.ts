import { existsSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { LlmspellError } from '../../../errors.js';
import { syncDirectory } from '../../../util/atomic-write.js';
import { type Bytes, compareBytes } from '../../../util/bytes.js';
import { makeDirectory } from '../../../util/make-directory.js';
import type {
  BackendEntry,
  BackendOperation,
  BackendSnapshot,
  Batch,
  KeyBounds,
  KeyRange,
  LoadRange,
  Segment,
  StateBackend,
} from '../../backend.js';
import type { PackedPage } from '../../packed-page.js';
import { levelError } from '../level-errors.js';
import { limited, merged, without } from './merge.js';
import {
  ALL_RECORDS,
  assertFile,
  deletedKey,
  deleteRecord,
  deletionKey,
  deletionsIn,
  putDeletion,
  putRecord,
  readRecord,
  removeLeftovers,
  tablePath,
} from './registry.js';
import { Table, type TableFacts } from './table.js';
import { writeTable } from './writer.js';

/** A moment of a backend that has room for keys of its own, beside the entries. */
export interface UpperView extends BackendSnapshot {
  getOwn(key: Bytes): Bytes | undefined;
  ownEntries(range: KeyRange): AsyncIterable<readonly BackendEntry[]>;
  /** @param range with how many entries are probably enough, where the limit does not tell */
  iterate(range: KeyRange & { firstPage?: number }): AsyncIterable<readonly BackendEntry[]>;
}

export interface UpperBackend extends StateBackend {
  readonly directory: string;
  getOwn(key: Bytes): Bytes | undefined;
  getSync(key: Bytes): Bytes | undefined;
  /** @param batch with operations on keys of its own */
  commit(batch: Batch & { own?: readonly BackendOperation[] }, options: { sync: boolean }): Promise<void>;
  snapshot(): Promise<UpperView>;
  /** A snapshot at once, for reading on this thread. */
  pinned(): UpperView;
  clearOwn(range: KeyBounds): Promise<void>;
}

export interface TabledOptions {
  /** `StateBackend.loadFromBytes`. Default 1 MiB: below it writing a file and its record takes longer than commits do. */
  loadFromBytes?: number;
  /** Told what is damaged; then what can be read of that is read, and nothing removed. */
  onDamage?: (problem: string) => void;
}

const LOAD_FROM_BYTES = 1 << 20;

/** A moment: what the backend holds lies over what the tables hold. */
class TabledView implements BackendSnapshot {
  readonly #upper: UpperView;
  readonly #tables: readonly Table[];

  /** Takes over what is handed in. */
  constructor(upper: UpperView, tables: readonly Table[]) {
    this.#upper = upper;
    this.#tables = tables;
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    return (await this.#upper.get(key)) ?? inTables(this.#tables, key, this.#upper);
  }

  async getMany(keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    const values = await this.#upper.getMany(keys);
    return values.map((value, i) => value ?? inTables(this.#tables, keys[i]!, this.#upper));
  }

  iterate({ limit, ...range }: KeyRange): AsyncIterable<readonly BackendEntry[]> {
    const isReverse = range.reverse ?? false;
    const tables = this.#tables.filter(({ facts }) => isOverlapping(range, facts));
    const lower = this.#pagesOf(isReverse ? tables.reverse() : tables, range);
    const upper = this.#upper.iterate({ ...range, ...(limit !== undefined && { firstPage: limit }) });
    const pages = merged(upper, lower, isReverse);
    return limit === undefined ? pages : limited(pages, limit);
  }

  async *#pagesOf(tables: readonly Table[], range: KeyRange): AsyncIterable<readonly BackendEntry[]> {
    for (const table of tables) {
      const pages = table.pages(range);
      const { reverse = false } = range;
      yield* table.hasDeletions ? without(pages, this.#deletions(table, reverse), reverse) : pages;
    }
  }

  async *#deletions({ facts }: Table, reverse: boolean): AsyncIterable<BackendEntry[]> {
    for await (const page of this.#upper.ownEntries({ ...deletionsIn(facts), keysOnly: true, reverse }))
      yield page.map(([key, value]) => [deletedKey(key), value]);
  }

  changesSince(seq: number): AsyncIterable<Segment> {
    return this.#upper.changesSince(seq);
  }

  async close(): Promise<void> {
    await Promise.all([this.#upper.close(), ...this.#tables.map((table) => table.release())]);
  }
}

/**
 * A backend with table files beneath it: what `load` was given lies in a file of its own (`format.ts`), under `tables/` in the directory, and
 * what is written later lies over it in the backend. The file counts from when the backend has a record of it: written under another name,
 * synced, read back, renamed, its directory synced, then recorded by a synced commit. It goes when its whole range is cleared: first the
 * record, by a synced commit, then the file, when no snapshot needs it any more. What a killed process leaves is a file without a record.
 */
export class TabledBackend implements StateBackend {
  readonly kind: string;
  readonly persistent = true;
  readonly loadFromBytes: number;
  readonly #upper: UpperBackend;
  readonly #onDamage: ((problem: string) => void) | undefined;
  /** In the order of their ranges. */
  #tables: readonly Table[] = [];
  #lastNumber = 0;
  readonly #removals = new Set<Promise<void>>();

  constructor(upper: UpperBackend, { loadFromBytes = LOAD_FROM_BYTES, onDamage }: TabledOptions = {}) {
    this.kind = upper.kind;
    this.loadFromBytes = loadFromBytes;
    this.#upper = upper;
    this.#onDamage = onDamage;
  }

  async open(): Promise<void> {
    await this.#upper.open();
    try {
      await this.#openTables();
    } catch (error) {
      await this.close();
      throw levelError(error, this.#upper.directory);
    }
  }

  async #openTables(): Promise<void> {
    const { directory } = this.#upper;
    const upper = this.#upper.pinned();
    try {
      for await (const page of upper.ownEntries({ ...ALL_RECORDS }))
        for (const entry of page) await this.#openTable(entry, upper);
    } finally {
      await upper.close();
    }
    if (this.#onDamage !== undefined) return;
    const numbers = this.#tables.map(({ facts }) => facts.number);
    this.#lastNumber = await removeLeftovers(directory, new Set(numbers));
  }

  async #openTable(record: BackendEntry, upper: UpperView): Promise<void> {
    const { directory } = this.#upper;
    await this.#attempt(async () => {
      const facts = readRecord(record, directory);
      const path = tablePath(directory, facts.number);
      await this.#attempt(() => assertFile(path, facts));
      if (!existsSync(path)) return;
      const table = new Table(path, facts, this.#onDamage);
      for await (const _ of upper.ownEntries({ ...deletionsIn(facts), keysOnly: true, limit: 1 }))
        table.hasDeletions = true;
      this.#add(table);
    });
  }

  /** Damage is told, where somebody wants to know. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const damage = levelError(error, this.#upper.directory);
      if (this.#onDamage === undefined || damage.code !== 'STATE_DAMAGED') throw damage;
      this.#onDamage(damage.message);
    }
  }

  async close(): Promise<void> {
    await this.#upper.close();
    for (const table of this.#tables) table.close();
    this.#tables = [];
    await Promise.all(this.#removals);
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    return (await this.#upper.get(key)) ?? this.#inTables(key);
  }

  getSync(key: Bytes): Bytes | undefined {
    return this.#upper.getSync(key) ?? this.#inTables(key);
  }

  async getMany(keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    const values = await this.#upper.getMany(keys);
    if (this.#tables.length === 0) return values;
    return values.map((value, i) => value ?? this.#inTables(keys[i]!));
  }

  #inTables(key: Bytes): Bytes | undefined {
    return this.#tables.length === 0 ? undefined : inTables(this.#tables, key, this.#upper);
  }

  async *iterate(range: KeyRange): AsyncIterable<readonly BackendEntry[]> {
    if (!this.#tables.some(({ facts }) => isOverlapping(range, facts))) return yield* this.#upper.iterate(range);
    // Of one moment: it reads at two places.
    const view = this.#viewOf(this.#upper.pinned(), this.#tables);
    try {
      yield* view.iterate(range);
    } finally {
      await view.close();
    }
  }

  changesSince(seq: number): AsyncIterable<Segment> {
    return this.#upper.changesSince(seq);
  }

  async snapshot(): Promise<BackendSnapshot> {
    const tables = this.#tables;
    for (const table of tables) table.hold();
    try {
      const upper = await this.#upper.snapshot();
      return tables.length === 0 ? upper : new TabledView(upper, tables);
    } catch (error) {
      for (const table of tables) await table.release();
      throw error;
    }
  }

  #viewOf(upper: UpperView, tables: readonly Table[]): TabledView {
    return new TabledView(
      upper,
      tables.map((table) => table.hold()),
    );
  }

  async commit(batch: Batch, options: { sync: boolean }): Promise<void> {
    const own = this.#tables.length === 0 ? [] : this.#deletionsBy(batch.operations);
    await this.#upper.commit(own.length === 0 ? batch : { ...batch, own }, options);
  }

  /** The marks that hide what the tables have of the deleted keys. */
  #deletionsBy(operations: readonly BackendOperation[]): BackendOperation[] {
    return operations.flatMap(({ type, key }) => {
      const table = type === 'del' ? this.#tables.find((one) => one.covers(key)) : undefined;
      if (table === undefined || !mayHave(table, key)) return [];
      table.hasDeletions = true;
      return [putDeletion(key)];
    });
  }

  trimChanges(seq: number): Promise<number> {
    return this.#upper.trimChanges(seq);
  }

  dropChanges(seq: number): Promise<void> {
    return this.#upper.dropChanges(seq);
  }

  async clearRange(bounds: KeyBounds): Promise<void> {
    await this.#upper.clearRange(bounds);
    for (const table of this.#tables.filter(({ facts }) => isOverlapping(bounds, facts)))
      await (isWithin(table.facts, bounds) ? this.#forget(table) : this.#hide(table, bounds));
  }

  async #forget(table: Table): Promise<void> {
    const { number } = table.facts;
    await this.#upper.clearOwn(deletionsIn(table.facts));
    // Synced: a record must not come back that has no file any more.
    await this.#upper.commit({ operations: [], own: [deleteRecord(number)] }, { sync: true });
    this.#tables = this.#tables.filter((one) => one !== table);
    const removal = table.remove();
    this.#removals.add(removal);
    void removal.finally(() => this.#removals.delete(removal));
  }

  /** Of a table that stays, what lies in the bounds. */
  async #hide(table: Table, bounds: KeyBounds): Promise<void> {
    table.hold();
    try {
      for await (const page of table.pages({ ...bounds, keysOnly: true }))
        await this.commit({ operations: page.map(([key]) => ({ type: 'del', key })) }, { sync: false });
    } finally {
      await table.release();
    }
  }

  async load(range: LoadRange, pages: AsyncIterable<PackedPage>): Promise<void> {
    if (this.#tables.some(({ facts }) => isOverlapping(range, facts)))
      throw new LlmspellError('INTERNAL', 'Entries were to be loaded where there are some.');
    const number = ++this.#lastNumber;
    const path = tablePath(this.#upper.directory, number);
    try {
      await this.#makeDirectory();
      const { sizeBytes, entries } = await writeTable(path, range, pages);
      if (entries === 0) await unlink(path);
      else await this.#register(path, { ...range, number, sizeBytes });
    } catch (error) {
      throw levelError(error, path);
    }
  }

  async #makeDirectory(): Promise<void> {
    const { directory } = this.#upper;
    const made = await makeDirectory(`${directory}/tables`, 0o700);
    if (made !== undefined) await syncDirectory(directory);
  }

  async #register(path: string, facts: TableFacts): Promise<void> {
    try {
      await this.#upper.commit({ operations: [], own: [putRecord(facts)] }, { sync: true });
    } catch (error) {
      await unlink(path);
      throw error;
    }
    this.#add(new Table(path, facts));
  }

  #add(table: Table): void {
    this.#tables = [...this.#tables, table].sort((a, b) => compareBytes(a.facts.gte, b.facts.gte));
  }

  async *check(): AsyncIterable<string> {
    for (const table of this.#tables) yield* table.check();
  }
}

function inTables(
  tables: readonly Table[],
  key: Bytes,
  upper: { getOwn(key: Bytes): Bytes | undefined },
): Bytes | undefined {
  const table = tables.find((one) => one.covers(key));
  const value = table?.get(key);
  const isDeleted = value !== undefined && table!.hasDeletions && upper.getOwn(deletionKey(key)) !== undefined;
  return isDeleted ? undefined : value;
}

/** Where that cannot be read, a mark does no harm. */
function mayHave(table: Table, key: Bytes): boolean {
  try {
    return table.has(key);
  } catch {
    return true;
  }
}

function isOverlapping({ gte, gt, lt, lte }: KeyBounds, facts: LoadRange): boolean {
  const low = gt ?? gte;
  const beginsBefore = low === undefined || compareBytes(low, facts.lt) < 0;
  if (lt !== undefined) return beginsBefore && compareBytes(lt, facts.gte) > 0;
  return beginsBefore && (lte === undefined || compareBytes(lte, facts.gte) >= 0);
}

function isWithin(facts: LoadRange, { gte, gt, lt, lte }: KeyBounds): boolean {
  const low = gt ?? gte;
  const begins = low === undefined || compareBytes(low, facts.gte) < (gt === undefined ? 1 : 0);
  if (lt !== undefined) return begins && compareBytes(lt, facts.lt) >= 0;
  return begins && (lte === undefined || compareBytes(lte, facts.lt) >= 0);
}
