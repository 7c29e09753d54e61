import type { Socket } from 'node:net';
import { LlmspellError, toPlainError } from '../errors.js';
import type { ReadCheck, StateStore } from '../state/types.js';
import { type PackedChanges, unpackChanges } from './changes.js';
import { Connection } from './connection.js';
import { Handles } from './handles.js';
import { operationsOn } from './operations.js';
import { type GuestFacts, type HolderFacts, MAGIC, type Message, PATIENCE_MS, PROTOCOL_VERSION } from './protocol.js';
import type { Receipts } from './receipts.js';

/** What all guests of a holder share. */
export interface Household {
  readonly store: StateStore;
  readonly receipts: Receipts;
  /** Requests of any guest under way, by guest and id: one that is asked again waits for the first. */
  readonly running: Map<string, Promise<unknown>>;
  /** Resolves when every guest has forgotten what was changed before the call; undefined where nobody has to. */
  settled(): Promise<unknown> | undefined;
  left(guest: ServedGuest): void;
}

/** Whose change it is: told to those who `watch` the store. */
export interface RequestOf {
  guest: ServedGuest;
  id: number;
}

/** Of one guest. */
const MOST_UNDER_WAY = 32;

type Operation = (...args: unknown[]) => unknown;

/** The holder's end of a connection. */
export class ServedGuest {
  readonly #house: Household;
  readonly #connection: Connection;
  readonly #handles: Handles;
  #facts: GuestFacts | undefined;
  /** How many of its scripts remember what they have seen. */
  #watchers = 0;
  /** Whether it may remember something. */
  #remembers = false;
  /** Of the last change it was told of, and of the last one it has answered. */
  #told = 0;
  #seen = 0;
  #waiting: { change: number; resolve: () => void }[] = [];
  #patience: NodeJS.Timeout;
  /** Requests not begun yet. */
  readonly #queue: Message[] = [];
  #underWay = 0;
  #isLeaving = false;
  #idle: (() => void) | undefined;
  #usedAtMs = Date.now();

  constructor(socket: Socket, house: Household) {
    this.#house = house;
    this.#handles = new Handles(house.store);
    const take = (message: unknown) => this.#take(message as Message);
    const events = { message: take, ended: () => this.#ended(), fluent: () => this.#goOn() };
    this.#connection = new Connection(socket, events, true);
    this.#connection.keepAlive(false);
    this.#patience = this.#sendAwayAfterPatience();
    const { storeId, backendKind } = house.store;
    const { seq, timeMs } = house.store.position();
    const facts: HolderFacts = { pid: process.pid, storeId, backendKind, seq, timeMs };
    this.#connection.send([MAGIC, PROTOCOL_VERSION, facts]);
  }

  /** When it was last heard of reading or building something; 0 where it does not. */
  get busySinceMs(): number {
    return this.#handles.isBusy ? this.#usedAtMs : 0;
  }

  /** Tells it that something was changed, where it may remember what was. */
  changed(writer: unknown): void {
    const request = writer as RequestOf | undefined;
    const isOwn = request?.guest === this;
    if (!this.#remembers || (isOwn && this.#watchers < 2)) return;
    // Whoever made the change goes on remembering.
    this.#remembers = isOwn;
    if (this.#seen === this.#told) this.#patience = this.#sendAwayAfterPatience();
    this.#connection.send(['changed', 0, ++this.#told, isOwn ? request!.id : 0]);
  }

  /** As `Household.settled`, of this guest. */
  settled(): Promise<void> | undefined {
    if (this.#seen === this.#told) return undefined;
    const change = this.#told;
    return new Promise((resolve) => this.#waiting.push({ change, resolve }));
  }

  /** Answers what is under way, and nothing that comes now; resolves when the connection has ended. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    if (this.#underWay > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    this.#connection.finish();
  }

  #take(message: Message): void {
    if (this.#facts === undefined) this.#greeted(message);
    else if (message[0] === 'seen') this.#answered(count(message[2], this.#told));
    else if (message[0] === 'watch') this.#watchers = count(message[2], Number.MAX_SAFE_INTEGER);
    else if (message[0] === 'bye') this.#house.receipts.forget(this.#facts.id);
    else {
      this.#queue.push(message);
      this.#goOn();
    }
  }

  /** Begins what has been asked, unless the guest takes answers more slowly than it asks. */
  #goOn(): void {
    if (this.#isLeaving) return;
    while (this.#queue.length > 0 && this.#underWay < MOST_UNDER_WAY && this.#connection.isFluent)
      void this.#answer(this.#queue.shift()!, this.#facts!);
  }

  #greeted(message: unknown): void {
    const [magic, version, facts] = message as [unknown, unknown, GuestFacts];
    clearTimeout(this.#patience);
    if (magic !== MAGIC || version !== PROTOCOL_VERSION || !isGuest(facts)) {
      this.#connection.finish();
      return;
    }
    this.#facts = facts;
    this.#house.receipts.prune();
  }

  #answered(change: number): void {
    this.#seen = change;
    clearTimeout(this.#patience);
    if (this.#seen < this.#told) this.#patience = this.#sendAwayAfterPatience();
    const waiting = this.#waiting;
    this.#waiting = waiting.filter((one) => one.change > change);
    for (const one of waiting) if (one.change <= change) one.resolve();
  }

  async #answer(message: Message, facts: GuestFacts): Promise<void> {
    const [name, id, lowest, ...args] = message;
    this.#remembers ||= this.#watchers > 0;
    this.#usedAtMs = Date.now();
    this.#underWay++;
    try {
      this.#house.receipts.release(facts.id, Number(lowest));
      const result = await this.#once(facts, name, id, args);
      await this.#house.settled();
      if (!this.#connection.send(['ok', id, ...(result === undefined ? [] : [result])])) throw tooLong();
    } catch (error) {
      await this.#house.settled();
      this.#connection.send(['error', id, toPlainError(error)]);
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) this.#idle?.();
      this.#goOn();
    }
  }

  /** What was asked before, over a connection that is gone, is not done again. */
  async #once(facts: GuestFacts, name: string, id: number, args: unknown[]): Promise<unknown> {
    const { running, receipts } = this.#house;
    const key = `${facts.id} ${id}`;
    const before = running.get(key);
    if (before !== undefined) return await before;
    const receipt = receipts.find(facts.id, id);
    if (receipt !== undefined) return receipt.answer;
    const result = this.#perform(facts, name, id, args);
    running.set(key, result);
    try {
      return await result;
    } finally {
      running.delete(key);
    }
  }

  async #perform(facts: GuestFacts, name: string, id: number, args: unknown[]): Promise<unknown> {
    const { store, receipts } = this.#house;
    const asker = { writer: { guest: this, id } satisfies RequestOf, receipt: receipts.makerFor(facts, id) };
    const onStore = operationsOn(store, asker);
    const operations = {
      ...onStore,
      ...this.#handles.operations(asker),
      writeIf: (reads: readonly ReadCheck[], changes: PackedChanges) => onStore.writeIf(reads, unpackChanges(changes)),
    };
    if (!Object.hasOwn(operations, name)) throw new LlmspellError('INTERNAL', `There is no operation "${name}".`);
    const result = await (operations as unknown as Record<string, Operation>)[name]!(...args);
    const isChange = receipts.find(facts.id, id) !== undefined;
    if (isChange && facts.durability === 'always' && store.durability !== 'always') await store.flush();
    return result;
  }

  #sendAwayAfterPatience(): NodeJS.Timeout {
    return setTimeout(() => this.#connection.destroy(), PATIENCE_MS).unref();
  }

  #ended(): void {
    clearTimeout(this.#patience);
    this.#seen = this.#told;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
    this.#remembers = false;
    this.#queue.length = 0;
    this.#house.left(this);
    void this.#handles.closeAll();
  }
}

const isGuest = ({ id, process: { pid, host, bootId, startTicks } }: GuestFacts): boolean =>
  typeof pid === 'number' && [id, host, bootId, startTicks].every((text) => typeof text === 'string');

/** Throws, which ends the connection, where it is no number from 0 to `most`. */
function count(value: unknown, most: number): number {
  if (Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= most) return Number(value);
  throw new RangeError('That is no count.');
}

const tooLong = (): LlmspellError =>
  new LlmspellError('STATE_UNAVAILABLE', 'The answer is too large to come from another process.', {
    hint: 'Ask for less at once, or stop the process that holds the state.',
  });
