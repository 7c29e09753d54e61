import { LlmspellError } from '../errors.js';
import { type Bytes, compareBytes } from '../util/bytes.js';
import type { Segment, StateBackend } from './backend.js';
import { allEntries, entriesUnder } from './entries.js';
import type { EntryPage } from './entry-page.js';
import { SegmentBuilder } from './history.js';
import { scopePrefix } from './key.js';
import { allOf, generationPrefix, rawOf, sealedChecksum, unsealEntry } from './layout.js';
import { Loading } from './loading.js';
import { Checksums, operationsOf, type SealedPage, sealPage } from './sealed-page.js';
import type { ActivatedGeneration, Change, GenerationOrigin, GenerationWriter, RawEntry, RawWrite } from './types.js';

/**
 * Changes that a swap records are cut into segments of about this size: well below what a backend keeps the buffers of (`level-batches.ts`),
 * so that a swap of any size takes the same memory.
 */
const SEGMENT_BYTES = 1 << 20;

/** What a generation needs of its store. */
export interface GenerationHost {
  /** @param written resolves when everything of it is in the backend; what is accepted after the call goes to the generation */
  activate(generation: number, origin: GenerationOrigin, written: Promise<void>): Promise<ActivatedGeneration>;
  discard(generation: number): Promise<void>;
}

/**
 * Writes straight to the backend, unsynced: the swap syncs, and until then nothing points here. What comes first and in order is handed to
 * the backend's `load`, where it has one; from the first page on that is not, what comes is committed over it.
 */
export class BackendGeneration implements GenerationWriter {
  readonly #backend: StateBackend;
  readonly #number: number;
  readonly #prefix: Bytes;
  readonly #host: GenerationHost;
  readonly #written = new Checksums();
  /** One after the other, in the order of the calls. */
  #line: Promise<unknown> = Promise.resolve();
  /** Pages in order that are not many yet; undefined from when they are loaded, or when one was out of order. */
  #first: SealedPage[] | undefined;
  #firstBytes = 0;
  #lastKey: Bytes | undefined;
  #loading: Loading | undefined;
  /** Whether everything written was loaded. */
  #isLoaded = false;
  #isOver = false;

  constructor(backend: StateBackend, number: number, host: GenerationHost) {
    this.#backend = backend;
    this.#number = number;
    this.#prefix = generationPrefix(number);
    this.#host = host;
    if (backend.load !== undefined) this.#first = [];
  }

  async write(entries: EntryPage | readonly RawWrite[]): Promise<void> {
    this.#assertOpen();
    if (entries.length === 0) return;
    const page = sealPage(this.#prefix, entries, this.#written);
    const goesOn = page.isAscending && (this.#lastKey === undefined || startsAfter(page, this.#lastKey));
    this.#lastKey = page.lastKey;
    await this.#inLine(async () => {
      if (!goesOn) await this.#settle();
      await this.#put(page);
    });
  }

  async #put(page: SealedPage): Promise<void> {
    if (this.#isOver) return;
    if (this.#loading !== undefined) return await this.#loading.push(page);
    if (this.#first === undefined) return await this.#commit(page);
    this.#first.push(page);
    this.#firstBytes += page.bytes.length;
    if (this.#firstBytes < (this.#backend.loadFromBytes ?? 0)) return;
    const [pages, backend] = [this.#first, this.#backend as Required<StateBackend>];
    this.#first = undefined;
    this.#loading = new Loading(backend, allOf(this.#prefix));
    for (const one of pages) await this.#loading.push(one);
  }

  async #commit(page: SealedPage): Promise<void> {
    this.#isLoaded = false;
    await this.#backend.commit({ operations: operationsOf(page) }, { sync: false });
  }

  /** Everything written so far becomes visible; what comes now is committed. */
  async #settle(): Promise<void> {
    const [pages, loading] = [this.#first ?? [], this.#loading];
    this.#first = undefined;
    this.#loading = undefined;
    for (const page of pages) await this.#commit(page);
    if (loading === undefined) return;
    await loading.finish();
    this.#isLoaded = true;
  }

  async #inLine<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#line.then(work);
    this.#line = done.catch(() => undefined);
    return await done;
  }

  async verify(onProgress: (entries: number) => void = () => undefined): Promise<boolean> {
    this.#assertOpen();
    await this.#inLine(() => this.#settle());
    // The load itself has read it back.
    if (this.#isLoaded) return true;
    const found = new Checksums();
    let entries = 0;
    // Of a snapshot: a backend may read that on another thread.
    const view = await this.#backend.snapshot();
    try {
      for await (const page of view.iterate(allOf(this.#prefix))) {
        for (const [stored, sealed] of page) unsealEntry(rawOf(stored), sealed);
        found.add(Uint32Array.from(page, ([, sealed]) => sealedChecksum(sealed)));
        entries += page.length;
        onProgress(entries);
      }
    } finally {
      await view.close();
    }
    return found.equals(this.#written);
  }

  async *entries(scopes?: readonly Bytes[]): AsyncIterable<readonly RawEntry[]> {
    await this.#inLine(() => this.#settle());
    yield* allEntries(entriesUnder(this.#backend, this.#prefix), scopes);
  }

  async activate(origin: GenerationOrigin): Promise<ActivatedGeneration> {
    this.#assertOpen();
    const written = this.#inLine(() => this.#settle());
    written.catch(() => undefined);
    const activated = await this.#host.activate(this.#number, origin, written);
    this.#isOver = true;
    return activated;
  }

  async discard(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#loading?.abandon();
    await this.#line;
    await this.#host.discard(this.#number);
  }

  #assertOpen(): void {
    if (this.#isOver) throw new LlmspellError('INTERNAL', 'This generation was activated or discarded before.');
  }
}

const startsAfter = ({ bytes, lengths }: SealedPage, key: Bytes): boolean =>
  compareBytes(bytes.subarray(0, lengths[0]), key) > 0;

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
