import { LlmspellError } from '../../errors.js';
import { type Bytes, bytesOfLatin1, latin1Of } from '../../util/bytes.js';
import type {
  BackendEntry,
  BackendSnapshot,
  BackendView,
  Batch,
  KeyBounds,
  KeyRange,
  Segment,
  StateBackend,
} from '../backend.js';
import { OrderedMap, type StringRange } from './ordered-map.js';

const PAGE_ENTRIES = 256;
const PAGE_BYTES = 1 << 20;
const NO_BYTES = new Uint8Array(0);

/** State that lives as long as the process: the whole of it in memory. For scripts that keep nothing, and for tests. */
export function createMemoryBackend(): StateBackend {
  return new MemoryBackend();
}

/** Entries and segments at one moment; keys are `latin1Of` the bytes, because such strings compare fast and as the bytes do. */
class MemoryView implements BackendView {
  protected entries: OrderedMap<Bytes>;
  /** By their last sequence number, as sixteen hexadecimal digits. */
  protected segments: OrderedMap<Segment>;

  constructor(entries = new OrderedMap<Bytes>(), segments = new OrderedMap<Segment>()) {
    this.entries = entries;
    this.segments = segments;
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    return this.getSync(key);
  }

  getSync(key: Bytes): Bytes | undefined {
    return this.entries.get(latin1Of(key));
  }

  async getMany(keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    return keys.map((key) => this.getSync(key));
  }

  async *iterate(range: KeyRange): AsyncIterable<readonly BackendEntry[]> {
    const entries = this.entries.snapshot();
    const bounds = toStringRange(range);
    let left = range.limit ?? Number.POSITIVE_INFINITY;
    while (left > 0) {
      const page = readPage(entries, bounds, Math.min(left, PAGE_ENTRIES), range.keysOnly === true);
      if (page.length === 0) return;
      yield page;
      left -= page.length;
      continueAfter(bounds, latin1Of(page.at(-1)![0]));
    }
  }

  async *changesSince(seq: number): AsyncIterable<Segment> {
    const segments = this.segments.snapshot();
    let next: Segment | undefined;
    let after = seqKey(seq);
    do {
      next = undefined;
      segments.scan({ gt: after }, (key, segment) => {
        next = segment;
        after = key;
        return false;
      });
      if (next !== undefined) yield next;
    } while (next !== undefined);
  }
}

class MemorySnapshot extends MemoryView implements BackendSnapshot {
  async close(): Promise<void> {
    this.entries = new OrderedMap();
    this.segments = new OrderedMap();
  }
}

class MemoryBackend extends MemoryView implements StateBackend {
  readonly kind = 'memory';
  readonly persistent = false;
  #open = false;

  async open(): Promise<void> {
    this.#open = true;
  }

  async close(): Promise<void> {
    this.#open = false;
    this.entries = new OrderedMap();
    this.segments = new OrderedMap();
  }

  async commit({ operations, segments = [] }: Batch): Promise<void> {
    if (!this.#open) throw new LlmspellError('STATE_CLOSED', 'The state in memory is closed.');
    for (const operation of operations) {
      const key = latin1Of(operation.key);
      // A copy: the value may be a small part of a large buffer, which it would keep from being freed.
      if (operation.type === 'put') this.entries.set(key, Uint8Array.prototype.slice.call(operation.value));
      else this.entries.delete(key);
    }
    for (const segment of segments) this.segments.set(seqKey(segment.lastSeq), segment);
  }

  async snapshot(): Promise<BackendSnapshot> {
    return new MemorySnapshot(this.entries.snapshot(), this.segments.snapshot());
  }

  async trimChanges(seq: number): Promise<number> {
    return this.#removeSegments({ lte: seqKey(seq) });
  }

  async dropChanges(seq: number): Promise<void> {
    this.#removeSegments({ gt: seqKey(seq) });
  }

  #removeSegments(range: StringRange): number {
    const removed: Segment[] = [];
    this.segments.scan(range, (_, segment) => removed.push(segment) > 0);
    for (const { lastSeq } of removed) this.segments.delete(seqKey(lastSeq));
    return removed.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  async clearRange(range: KeyBounds): Promise<void> {
    const bounds = toStringRange(range);
    let page: readonly BackendEntry[];
    do {
      page = readPage(this.entries, bounds, PAGE_ENTRIES, true);
      for (const [key] of page) this.entries.delete(latin1Of(key));
    } while (page.length > 0);
  }
}

const seqKey = (seq: number): string => Math.max(0, seq).toString(16).padStart(16, '0');

function toStringRange(range: KeyRange): StringRange {
  const bounds: StringRange = {};
  for (const bound of ['gte', 'gt', 'lt', 'lte'] as const)
    if (range[bound] !== undefined) bounds[bound] = latin1Of(range[bound]);
  if (range.reverse) bounds.reverse = true;
  return bounds;
}

/** Narrows the range to what comes after `key` in its direction. */
function continueAfter(bounds: StringRange, key: string): void {
  if (bounds.reverse) {
    delete bounds.lte;
    bounds.lt = key;
  } else {
    delete bounds.gte;
    bounds.gt = key;
  }
}

function readPage(entries: OrderedMap<Bytes>, bounds: StringRange, limit: number, keysOnly: boolean): BackendEntry[] {
  const page: BackendEntry[] = [];
  let bytes = 0;
  entries.scan(bounds, (key, value) => {
    page.push([bytesOfLatin1(key), keysOnly ? NO_BYTES : value]);
    bytes += keysOnly ? key.length : key.length + value.length;
    return page.length < limit && bytes < PAGE_BYTES;
  });
  return page;
}
