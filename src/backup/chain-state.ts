import { LlmspellError } from '../errors.js';
import type { EntryPage } from '../state/entry-page.js';
import { encodeKey, scopePrefix } from '../state/key.js';
import { schemaVersionAt } from '../state/schema-version.js';
import type { HistoryRecord, Position, RawEntry, RawWrite, RecordedChange } from '../state/types.js';
import { type Bytes, compareBytes, latin1Of } from '../util/bytes.js';
import { type ComparableState, inPart, isInPart, type Part, type Printed, partsOf, printOf } from './compare.js';
import { type Changed, newestInWindows, overlaid, SplitPages } from './overlay.js';
import { isOnPath, pathBegin, pathBetween, type SeqRange, type TurnBack, turnOf } from './path.js';
import type { ArchiveReader } from './types.js';

/** Where in the last archive of a chain to stop; by default at its end. */
export type Until = { seq: number } | { timeMs: number };

/** Changed keys whose prints are held in memory at once, about 100 bytes each. */
const KEYS_IN_MEMORY = 250_000;
/** Changed entries held in memory at once, where their values are wanted. */
const HELD_BYTES = 64 << 20;

/**
 * The state that a chain of archives completes, or completed at one moment within its last archive. It is never in memory: it is told
 * entry by entry, or as prints of its entries, in the order of their keys.
 */
export class ChainState implements ComparableState {
  readonly #base: ArchiveReader;
  readonly #increments: readonly Increment[];
  /** The moment whose state this is. */
  readonly position: Position;
  /** The version of the schema that it is of; undefined where it has none. */
  readonly schemaVersion: string | undefined;
  /** It is compared with another state in so many passes. */
  readonly parts: readonly Part[];

  private constructor(base: ArchiveReader, increments: readonly Increment[], position: Position) {
    this.#base = base;
    this.schemaVersion = schemaVersionIn([base, ...increments.map(({ reader }) => reader)], position);
    this.#increments = increments;
    this.position = position;
    const changedKeys = increments.reduce((sum, { reader }) => sum + reader.info.entryCount, 0);
    this.parts = partsOf(Math.max(1, Math.ceil(changedKeys / KEYS_IN_MEMORY)));
  }

  /**
   * Takes the readers over, base first; they are closed with it, also where this fails. The changes of incremental archives are
   * read once here, to know where they were taken back.
   */
  static async open(readers: readonly ArchiveReader[], until?: Until): Promise<ChainState> {
    const [base, ...rest] = readers;
    try {
      const increments: Increment[] = [];
      let position = base!.info.position;
      for (const reader of rest) {
        const isLast = reader === readers.at(-1);
        const { path, end } = await survey(reader, isLast ? until : undefined);
        increments.push({ reader, path });
        position = end;
      }
      return new ChainState(base!, increments, position);
    } catch (error) {
      await closeAll(readers);
      throw error;
    }
  }

  /**
   * All entries, or those of some scopes, in byte order of their keys. The base is read once; the changes once for each `heldBytes` of
   * them, which is what is in memory.
   */
  async *entries(scopes?: readonly Bytes[], heldBytes = HELD_BYTES): AsyncGenerator<readonly RawEntry[]> {
    if (this.#increments.length === 0) return yield* this.#base.entries(scopes);
    const base = new SplitPages(this.#base.entries(scopes));
    try {
      for await (const { changes, upTo } of newestInWindows(() => this.#changes(scopes), heldBytes))
        yield* overlaid(base.upTo(upTo), changes);
    } finally {
      await base.close();
    }
  }

  /** All entries, or those of some scopes, in byte order of their keys, as they cost least. */
  pages(scopes?: readonly Bytes[]): AsyncIterable<EntryPage | readonly RawEntry[]> {
    return this.#increments.length === 0 && !scopes ? this.#base.pages() : this.entries(scopes);
  }

  /** Prints of all entries, or those of some scopes, in byte order of their keys. */
  async *prints(part: Part, scopes?: readonly Bytes[]): AsyncGenerator<readonly Printed[]> {
    const base = inPart(this.#base.entries(scopes), part);
    yield* this.#increments.length === 0 ? base : overlaid(base, await this.#changedPrints(part, scopes));
  }

  async close(): Promise<void> {
    await closeAll([this.#base, ...this.#increments.map(({ reader }) => reader)]);
  }

  async *#changes(scopes: readonly Bytes[] | undefined): AsyncGenerator<RawWrite[]> {
    const wanted = scopeFilter(scopes);
    for (const { reader, path } of this.#increments) {
      for await (const page of reader.changes()) {
        const changes = page.filter(
          (record): record is RecordedChange => !('rewind' in record) && isOnPath(record.seq, path),
        );
        yield changes
          .map(({ scope, key, value }) => ({ key: encodeKey(scope, key), value }))
          .filter(({ key }) => wanted(key));
      }
    }
  }

  /** The newest print of each changed key; undefined where it was deleted. */
  async #changedPrints(part: Part, scopes: readonly Bytes[] | undefined): Promise<Changed<Printed>[]> {
    const newest = new Map<string, Changed<Printed>>();
    for await (const page of this.#changes(scopes)) {
      for (const { key, value } of page) {
        if (!isInPart(key, part)) continue;
        newest.set(latin1Of(key), { key, entry: value === null ? undefined : { key, value: printOf(value) } });
      }
    }
    return [...newest.values()].sort((a, b) => compareBytes(a.key, b.key));
  }
}

/** An incremental archive, and which of its changes count. */
interface Increment {
  reader: ArchiveReader;
  path: readonly SeqRange[];
}

/** Which changes of an incremental archive count, and the moment that they lead to. */
async function survey(reader: ArchiveReader, until: Until | undefined): Promise<{ path: SeqRange[]; end: Position }> {
  const { id, position, parent } = reader.info;
  const turns: TurnBack[] = [];
  let end: Position = { ...position, seq: parent!.fromSeq, timeMs: parent!.fromTimeMs };
  for await (const page of reader.changes()) {
    for (const record of page) {
      const turn = turnOf(record, position.storeId);
      if (turn) turns.push(turn);
      if (isWithin(record, until)) end = { ...end, seq: record.seq, timeMs: record.timeMs };
    }
  }
  if (!until) end = position;
  const path = pathBetween(parent!.fromSeq, end.seq, turns);
  if (pathBegin(path) >= parent!.fromSeq) return { path, end };
  const message = `At that moment the state had been taken back to before the changes that backup ${id} holds.`;
  throw new LlmspellError('HISTORY_UNREACHABLE', message, { subject: id });
}

const isWithin = (record: HistoryRecord, until: Until | undefined): boolean =>
  until !== undefined && ('seq' in until ? record.seq <= until.seq : record.timeMs <= until.timeMs);

/** Whether a raw key belongs to one of the scopes; without scopes every key does. */
export function scopeFilter(scopes: readonly Bytes[] | undefined): (key: Bytes) => boolean {
  if (!scopes) return () => true;
  const prefixes = scopes.map(scopePrefix);
  return (key) => prefixes.some((prefix) => compareBytes(key.subarray(0, prefix.length), prefix) === 0);
}

const closeAll = async (readers: readonly ArchiveReader[]): Promise<void> => {
  await Promise.all(readers.map((reader) => reader.close()));
};

/** Within the last archive of a chain the state may have become of another version. */
function schemaVersionIn(readers: readonly ArchiveReader[], { seq }: Position): string | undefined {
  const { schemaVersion, schemaMarks = [] } = readers.at(-1)!.info;
  if (schemaMarks.length === 0) return schemaVersion;
  const isMarked = schemaMarks.some((mark) => mark.seq <= seq);
  return isMarked ? schemaVersionAt(schemaMarks, seq) : readers.at(-2)?.info.schemaVersion;
}
