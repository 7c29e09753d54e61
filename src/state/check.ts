import { LlmspellError } from '../errors.js';
import { type Bytes, bytesOfLatin1, latin1Of } from '../util/bytes.js';
import type { BackendEntry, BackendView, Segment, StateBackend } from './backend.js';
import { type Documents, liveTimeline, readDocuments, type Timeline } from './catalog.js';
import { type RawRecord, readSegment } from './history.js';
import { allOf, concat, floorPrefix, generationPrefix, nameOfEntry, PREFIX_BYTES, unseal } from './layout.js';

/** Problems listed one by one; above it they are only counted. */
const MAX_LISTED = 1000;

export interface StateCheck {
  isSound: boolean;
  /** Entries read, of every generation; history segments read. */
  entries: number;
  segments: number;
  problemCount: number;
  /** One sentence each, the first thousand. */
  problems: string[];
}

/**
 * Reads the whole of a store that is not open, and tells everything that is wrong with it: what the backend finds when it opens,
 * entries whose checksum does not fit, entries that cannot be found by their key, entries that history says should be there, history
 * that is damaged or has gaps. Memory does not grow with the state. Throws only what is not damage (`STATE_LOCKED`, …).
 */
export async function checkState(backend: StateBackend): Promise<StateCheck> {
  const check = new Check();
  await check.guard(async () => {
    await backend.open();
    const documents = await readDocuments(backend);
    await check.files(backend);
    if (documents !== undefined) await check.run(backend, documents);
  });
  await check.guard(() => backend.close());
  return check.result;
}

/** What history knows of that is not there (any more), and what is missing of history itself: one sentence each, the first thousand. */
export async function historyProblems(view: BackendView, documents: Documents): Promise<string[]> {
  const check = new Check();
  await check.guard(() => check.history(view, documents));
  return check.result.problems;
}

class Check {
  readonly result: StateCheck = { isSound: true, entries: 0, segments: 0, problemCount: 0, problems: [] };

  async run(view: BackendView, documents: Documents): Promise<void> {
    const { timelines, rollbackPoints } = documents.catalog;
    const generations = new Set([...timelines, ...rollbackPoints].map(({ generation }) => generation));
    for (const generation of generations) await this.guard(() => this.#entries(view, generationPrefix(generation)));
    for (const { id } of timelines) await this.guard(() => this.#entries(view, floorPrefix(id)));
    await this.guard(() => this.history(view, documents));
  }

  async files(backend: StateBackend): Promise<void> {
    if (backend.check !== undefined) for await (const problem of backend.check()) this.#report(problem);
  }

  /** Damage becomes a problem; anything else is thrown. */
  async guard(part: () => Promise<void>): Promise<void> {
    try {
      await part();
    } catch (error) {
      if (!(error instanceof LlmspellError) || error.code !== 'STATE_DAMAGED') throw error;
      this.#report(error.message);
    }
  }

  async #entries(view: BackendView, prefix: Bytes): Promise<void> {
    for await (const page of view.iterate(allOf(prefix))) {
      this.result.entries += page.length;
      for (const entry of page) this.#seal(entry);
      // By another way: what an iteration finds a damaged index may hide from a search.
      const found = await view.getMany(page.map(([key]) => key));
      for (const [i, value] of found.entries())
        if (value === undefined)
          this.#report(`${nameOfEntry(page[i]![0].subarray(PREFIX_BYTES))} cannot be found by its key.`);
    }
  }

  #seal([key, sealed]: BackendEntry): void {
    const raw = key.subarray(PREFIX_BYTES);
    if (unseal(raw, sealed) === undefined) this.#report(`The stored value of ${nameOfEntry(raw)} is damaged.`);
  }

  async history(view: BackendView, { catalog, head, horizon }: Documents): Promise<void> {
    const timeline = liveTimeline(catalog);
    const missing = new Set<string>();
    let last = horizon.seq;
    for await (const segment of view.changesSince(horizon.seq)) {
      // What a swap has recorded so far does not count until it takes place.
      if (segment.firstSeq > head.seq) break;
      this.result.segments++;
      if (segment.firstSeq !== last + 1)
        this.#report(`The changes ${last + 1} to ${segment.firstSeq - 1} are missing.`);
      last = segment.lastSeq;
      await this.guard(async () => this.#compare(view, timeline, recordsOf(segment, timeline), missing));
    }
    if (last !== head.seq) this.#report(`The changes ${last + 1} to ${head.seq} are missing.`);
    for (const name of missing)
      this.#report(`${nameOfEntry(bytesOfLatin1(name))} is missing, or older than history says.`);
  }

  /** Each value written must be there, or be one written later. */
  async #compare(view: BackendView, timeline: Timeline, records: RawRecord[], missing: Set<string>): Promise<void> {
    const prefix = generationPrefix(timeline.generation);
    const stored = await view.getMany(records.map(({ raw }) => concat(prefix, raw)));
    for (const [i, { raw, kind, seq }] of records.entries()) {
      const sealed = stored[i];
      const isThere = sealed !== undefined && (unseal(raw, sealed)?.seq ?? seq) >= seq;
      if (kind === 'put' && !isThere) missing.add(latin1Of(raw));
      else missing.delete(latin1Of(raw));
    }
  }

  #report(problem: string): void {
    this.result.isSound = false;
    this.result.problemCount++;
    if (this.result.problems.length < MAX_LISTED) this.result.problems.push(problem);
  }
}

/** Its records, where they are about the live generation. */
function recordsOf(segment: Segment, { startSeq }: Timeline): RawRecord[] {
  const records = readSegment(segment);
  return segment.firstSeq > startSeq ? records : [];
}
