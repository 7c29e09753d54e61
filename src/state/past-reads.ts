import type { Bytes } from '../util/bytes.js';
import type { BackendSnapshot, StateBackend } from './backend.js';
import { type Documents, readDocuments } from './catalog.js';
import { keyHistory } from './key-history.js';
import { pastSource, seqAt, timeOf, unreachable } from './past.js';
import { SourceSnapshot } from './snapshot.js';
import type { HistoryItem, StateSnapshot } from './types.js';
import type { WriteQueue } from './write-queue.js';

/** What looking back needs of its store. */
export interface PastHost {
  readonly backend: StateBackend;
  readonly documents: Documents;
  readonly queue: WriteQueue;
  readonly isEnabled: boolean;
}

/** The past, as the history kept tells it. Throws `HISTORY_UNREACHABLE` where it does not. */
export class PastReads {
  readonly #host: PastHost;

  constructor(host: PastHost) {
    this.#host = host;
  }

  async at(seq: number): Promise<StateSnapshot> {
    return await this.#inPast(async (view, documents) => {
      const source = await pastSource(view, documents, seq);
      const timeMs = await timeOf(view, documents, seq);
      const { storeId, schemaMarks } = documents.catalog;
      return new SourceSnapshot(source, view, { storeId, seq, timeMs }, schemaMarks ?? []);
    });
  }

  async seqAtTime(timeMs: number): Promise<number> {
    return await this.#lookBack((view, documents) => seqAt(view, documents, timeMs));
  }

  async history(raw: Bytes, limit: number | undefined): Promise<HistoryItem[]> {
    return await this.#lookBack((view, documents) => keyHistory(view, documents, raw, limit));
  }

  /** Calls `body` with everything accepted so far; it takes the snapshot over where it succeeds. */
  async #inPast<T>(body: (view: BackendSnapshot, documents: Documents) => Promise<T>): Promise<T> {
    const { backend, documents, queue, isEnabled } = this.#host;
    if (!isEnabled) throw unreachable('History is switched off, so the past cannot be looked at.');
    if (!queue.hasFailed) await queue.drain();
    const view = await backend.snapshot();
    try {
      return await body(view, (await readDocuments(view)) ?? documents);
    } catch (error) {
      await view.close();
      throw error;
    }
  }

  async #lookBack<T>(body: (view: BackendSnapshot, documents: Documents) => Promise<T>): Promise<T> {
    return await this.#inPast(async (view, documents) => {
      const result = await body(view, documents);
      await view.close();
      return result;
    });
  }
}
