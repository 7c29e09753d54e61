import type { StateStore } from '../state/types.js';
import type { Bytes } from '../util/bytes.js';
import { isRunning, type ProcessIdentity } from '../util/process-identity.js';
import type { Asker } from './operations.js';
import type { GuestFacts } from './protocol.js';
import { decodeMessage, encodeMessage } from './wire.js';

const NAME = 'share.receipts';
/** Of a guest whose end nobody here can see (in another container): forgotten after a day. */
const KEPT_MS = 24 * 3600 * 1000;

interface GuestReceipts {
  process: ProcessIdentity;
  lastMs: number;
  /** By the ids of requests that changed something and whose answer the guest may not have. */
  answers: Map<number, unknown>;
}

/** As it is stored, for each guest. */
type Stored = [guest: string, process: ProcessIdentity, lastMs: number, answers: [id: number, answer: unknown][]];

/**
 * What was done for which request of which guest, as long as the guest may ask again. Written in the commit of the change itself, so that the
 * next holder knows, too: a request takes effect once.
 */
export class Receipts {
  readonly #guests: Map<string, GuestReceipts>;

  private constructor(guests: Map<string, GuestReceipts>) {
    this.#guests = guests;
  }

  static async load(store: StateStore): Promise<Receipts> {
    const bytes = await store.getMeta(NAME);
    const stored = bytes === undefined ? [] : (decodeMessage(bytes) as Stored[]);
    const guests = stored.map(([guest, process, lastMs, answers]): [string, GuestReceipts] => [
      guest,
      { process, lastMs, answers: new Map(answers) },
    ]);
    const receipts = new Receipts(new Map(guests));
    receipts.prune();
    return receipts;
  }

  /** Forgets the guests whose process is gone. */
  prune(): void {
    for (const [guest, { process, lastMs }] of this.#guests) if (!isAlive(process, lastMs)) this.#guests.delete(guest);
  }

  /** What a request was, or would have been, answered. */
  find(guest: string, id: number): { answer: unknown } | undefined {
    const answers = this.#guests.get(guest)?.answers;
    return answers?.has(id) ? { answer: answers.get(id) ?? undefined } : undefined;
  }

  /** The guest has the answers below `lowest`. */
  release(guest: string, lowest: number): void {
    const answers = this.#guests.get(guest)?.answers;
    for (const id of answers?.keys() ?? []) if (id < lowest) answers?.delete(id);
  }

  /** The guest has come to its end in order. */
  forget(guest: string): void {
    this.#guests.delete(guest);
  }

  /** Makes receipts for one request. */
  makerFor({ id: guest, process }: Pick<GuestFacts, 'id' | 'process'>, id: number): NonNullable<Asker['receipt']> {
    return (answerOf) => ({
      name: NAME,
      content: (effect) => {
        const receipts = this.#guests.get(guest) ?? { process, lastMs: 0, answers: new Map<number, unknown>() };
        receipts.lastMs = Date.now();
        receipts.answers.set(id, answerOf(effect));
        this.#guests.set(guest, receipts);
        return this.#encoded();
      },
    });
  }

  #encoded(): Bytes {
    const stored = [...this.#guests].map(([guest, { process, lastMs, answers }]) => [
      guest,
      process,
      lastMs,
      [...answers],
    ]);
    return encodeMessage(stored);
  }
}

const isAlive = (process: ProcessIdentity, lastMs: number): boolean =>
  isRunning(process) && lastMs > Date.now() - KEPT_MS;
