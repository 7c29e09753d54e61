import type { Server, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { StateStore } from '../state/types.js';
import { Receipts } from './receipts.js';
import { type Household, ServedGuest } from './served-guest.js';
import { listen, removeSocket } from './socket.js';

/** The holder waits for guests that read or build something, unless they have not gone on with it for this long. */
const IDLE_MS = 1000;
const LOOK_MS = 20;

/** Serves the state that this process holds to others. It does not keep the process alive. */
export class StateServer implements Household {
  readonly store: StateStore;
  readonly receipts: Receipts;
  readonly running = new Map<string, Promise<unknown>>();
  readonly #directory: string;
  readonly #guests = new Set<ServedGuest>();
  readonly #unwatch: () => void;
  #server: Promise<Server | undefined> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosing = false;

  private constructor(directory: string, store: StateStore, receipts: Receipts) {
    this.#directory = directory;
    this.store = store;
    this.receipts = receipts;
    this.#unwatch = store.watch((writer) => {
      for (const guest of this.#guests) guest.changed(writer);
    });
  }

  /**
   * Where there can be no socket (the place does not have them), there is no server, and others wait for the lock.
   *
   * @param afterMs most commands end so soon that others need not be served
   */
  static async start(directory: string, store: StateStore, afterMs: number): Promise<StateServer> {
    const server = new StateServer(directory, store, await Receipts.load(store));
    server.#timer = setTimeout(() => server.#listen(), afterMs).unref();
    return server;
  }

  settled(): Promise<unknown> | undefined {
    const waiting = [...this.#guests].map((guest) => guest.settled()).filter((settling) => settling !== undefined);
    return waiting.length === 0 ? undefined : Promise.all(waiting);
  }

  left(guest: ServedGuest): void {
    this.#guests.delete(guest);
  }

  /** Answers what is under way, lets guests finish what they read or build, and ends all connections: the guests then see to themselves. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#untilIdle();
    this.#isClosing = true;
    const server = await this.#server;
    if (server !== undefined) {
      await removeSocket(this.#directory);
      server.close();
    }
    await Promise.all([...this.#guests].map((guest) => guest.leave()));
    this.#unwatch();
  }

  async #untilIdle(): Promise<void> {
    const isBusy = ({ busySinceMs }: ServedGuest) => busySinceMs > Date.now() - IDLE_MS;
    while ([...this.#guests].some(isBusy)) await delay(LOOK_MS);
  }

  #listen(): void {
    this.#server = listen(this.#directory, (socket) => this.#welcome(socket)).then(
      (server) => server.unref(),
      () => undefined,
    );
  }

  #welcome(socket: Socket): void {
    if (this.#isClosing) socket.destroy();
    else this.#guests.add(new ServedGuest(socket, this));
  }
}
