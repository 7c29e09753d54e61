import { LlmspellError } from '../errors.js';
import type { Bytes } from '../util/bytes.js';
import type { Segment, StateBackend } from './backend.js';
import { allEntries, entriesUnder } from './entries.js';
import { SegmentBuilder } from './history.js';
import { scopePrefix } from './key.js';
import { allOf, generationPrefix, rawOf, sealedChecksum, unsealEntry } from './layout.js';
import { Checksums, sealPage } from './sealed-page.js';
import type {
  ActivatedGeneration,
  Change,
  GenerationOrigin,
  GenerationWriter,
  RawEntry,
  RawWrite,
  ReadBack,
} from './types.js';

/** Changes that a swap records are cut into segments of about this size. */
const SEGMENT_BYTES = 4 << 20;

/** What a generation needs of its store. */
export interface GenerationHost {
  activate(generation: number, origin: GenerationOrigin): Promise<ActivatedGeneration>;
  discard(generation: number): Promise<void>;
}

/** Writes straight to the backend, unsynced: the swap syncs, and until then nothing points here. */
export class BackendGeneration implements GenerationWriter {
  readonly #backend: StateBackend;
  readonly #number: number;
  readonly #prefix: Bytes;
  readonly #host: GenerationHost;
  readonly #written = new Checksums();
  #isOver = false;

  constructor(backend: StateBackend, number: number, host: GenerationHost) {
    this.#backend = backend;
    this.#number = number;
    this.#prefix = generationPrefix(number);
    this.#host = host;
  }

  async write(entries: readonly RawWrite[]): Promise<void> {
    this.#assertOpen();
    if (entries.length === 0) return;
    const operations = sealPage(this.#prefix, entries, this.#written);
    await this.#backend.commit({ operations }, { sync: false });
  }

  readBack(): ReadBack {
    this.#assertOpen();
    const found = new Checksums();
    return { entries: this.#readBack(found), isExact: () => found.equals(this.#written) };
  }

  /** Of a snapshot: a backend may read that on another thread. */
  async *#readBack(found: Checksums): AsyncIterable<readonly RawEntry[]> {
    const view = await this.#backend.snapshot();
    try {
      for await (const page of view.iterate(allOf(this.#prefix))) {
        const entries = page.map(([stored, sealed]): RawEntry => {
          const key = rawOf(stored);
          const { value } = unsealEntry(key, sealed);
          return { key, value };
        });
        found.add(page.map(([, sealed]) => sealedChecksum(sealed)));
        yield entries;
      }
    } finally {
      await view.close();
    }
  }

  entries(scopes?: readonly Bytes[]): AsyncIterable<readonly RawEntry[]> {
    return allEntries(entriesUnder(this.#backend, this.#prefix), scopes);
  }

  async activate(origin: GenerationOrigin): Promise<ActivatedGeneration> {
    this.#assertOpen();
    const activated = await this.#host.activate(this.#number, origin);
    this.#isOver = true;
    return activated;
  }

  async discard(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#host.discard(this.#number);
  }

  #assertOpen(): void {
    if (this.#isOver) throw new LlmspellError('INTERNAL', 'This generation was activated or discarded before.');
  }
}

/** The changes of a swap as history: the last segment goes into the commit that swaps, those before it are in the backend. */
export interface RecordedChanges {
  last: Segment | undefined;
  /** Of those before it. */
  earlierBytes: number;
}

/**
 * Writes the changes of a swap behind the history that there is, numbered from `firstSeq` on, all of one time, one segment of them in
 * memory. They lie above the head, so nobody reads them until the swap; where it does not come, they have to be dropped.
 */
export async function recordChanges(
  backend: StateBackend,
  changes: AsyncIterable<readonly Change[]>,
  firstSeq: number,
  nowMs: () => number,
): Promise<RecordedChanges> {
  let builder: SegmentBuilder | undefined;
  let seq = firstSeq;
  let timeMs = 0;
  let earlierBytes = 0;
  for await (const page of changes)
    for (const { scope, key, value } of page) {
      if (builder !== undefined && builder.sizeBytes > SEGMENT_BYTES) {
        const segment = builder.finish();
        await backend.commit({ operations: [], segments: [segment] }, { sync: false });
        earlierBytes += segment.bytes.length;
        builder = undefined;
      }
      // Not before: what yields them may bring the generation up to date first.
      timeMs ||= nowMs();
      builder ??= new SegmentBuilder(seq);
      if (value === null) builder.delete(scopePrefix(scope), key, timeMs);
      else builder.put(scopePrefix(scope), key, timeMs, value);
      seq++;
    }
  return { last: builder?.finish(), earlierBytes };
}
