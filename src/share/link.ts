import type { Socket } from 'node:net';
import { LlmspellError, type PlainError } from '../errors.js';
import { Connection } from './connection.js';
import { HolderGone } from './holder-gone.js';
import { type GuestFacts, type HolderFacts, MAGIC, type Message, PROTOCOL_VERSION } from './protocol.js';
import { connect } from './socket.js';

/** The holder is of another version. */
export class OtherVersion extends Error {}

export interface LinkEvents {
  /** The state was changed by somebody else, or by request `spared` of ours: what was seen of it is to be forgotten before this returns. */
  changed(spared: number): void;
  ended(): void;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** A guest's end of a connection. */
export class Link {
  /** As the holder said it in the beginning. */
  facts!: HolderFacts;
  readonly #connection: Connection;
  readonly #events: LinkEvents;
  readonly #pending = new Map<number, Pending>();
  #hasEnded = false;
  #greeted!: (facts: HolderFacts) => void;
  #refused!: (error: Error) => void;

  private constructor(socket: Socket, events: LinkEvents) {
    this.#events = events;
    const take = (message: unknown) => this.#take(message as Message);
    this.#connection = new Connection(socket, { message: take, ended: () => this.#ended() }, false);
  }

  /**
   * Undefined where nobody serves, or the holder does not answer within `timeoutMs`.
   *
   * @throws OtherVersion
   */
  static async open(
    directory: string,
    guest: GuestFacts,
    events: LinkEvents,
    timeoutMs: number,
  ): Promise<Link | undefined> {
    const socket = await connect(directory);
    if (socket === undefined) return undefined;
    const link = new Link(socket, events);
    const timer = setTimeout(() => link.#connection.destroy(), timeoutMs);
    try {
      await link.#greet(guest);
      return link;
    } catch (error) {
      if (error instanceof OtherVersion) throw error;
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves with what the operation returns. Rejects with what it throws, or {@link HolderGone}. */
  request(name: string, id: number, lowest: number, args: readonly unknown[]): Promise<unknown> {
    if (this.#hasEnded) return Promise.reject(new HolderGone());
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#connection.keepAlive(true);
      if (!this.#connection.send([name, id, lowest, ...args])) this.#settle(id, ({ reject: fail }) => fail(tooLarge()));
    });
  }

  /** How many scripts of this process remember what they have seen. */
  watch(watchers: number): void {
    this.#connection.send(['watch', 0, watchers]);
  }

  /** Ends it in order: no request will be asked again. */
  close(): void {
    this.#connection.send(['bye', 0]);
    this.#connection.finish();
  }

  async #greet(guest: GuestFacts): Promise<void> {
    this.facts = await new Promise((resolve, reject) => {
      this.#greeted = resolve;
      this.#refused = reject;
      this.#connection.send([MAGIC, PROTOCOL_VERSION, guest]);
    });
    this.#connection.keepAlive(false);
  }

  #take(message: Message): void {
    const [kind, id, ...rest] = message;
    if (kind === MAGIC) this.#welcome(id, rest[0] as HolderFacts);
    else if (kind === 'changed') {
      this.#events.changed(rest[1] as number);
      this.#connection.send(['seen', 0, rest[0]]);
    } else if (kind === 'ok') this.#settle(id, ({ resolve }) => resolve(rest[0]));
    else this.#settle(id, ({ reject }) => reject(received(rest[0] as PlainError)));
  }

  #welcome(version: number, facts: HolderFacts): void {
    if (version === PROTOCOL_VERSION) this.#greeted(facts);
    else {
      this.#refused(new OtherVersion());
      this.#connection.destroy();
    }
  }

  #settle(id: number, how: (pending: Pending) => void): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#connection.keepAlive(false);
    if (pending !== undefined) how(pending);
  }

  #ended(): void {
    this.#hasEnded = true;
    this.#refused(new HolderGone());
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(new HolderGone());
    this.#events.ended();
  }
}

const received = ({ code, message, hint }: PlainError): LlmspellError => new LlmspellError(code, message, { hint });

const tooLarge = (): LlmspellError =>
  new LlmspellError('STATE_UNAVAILABLE', 'The change is too large to go to the process that holds the state.', {
    hint: 'Write less at once, or stop the other process.',
  });
