import { LlmspellError } from '../errors.js';
import type { ActivatedGeneration, Change, Durability, GenerationOrigin, Position, Watcher } from '../state/types.js';
import { randomHex } from '../util/hash.js';
import { thisProcess } from '../util/process-identity.js';
import { packChanges } from './changes.js';
import { HolderGone } from './holder-gone.js';
import { type Guest, type Holder, join, type MembershipOptions, type Role } from './membership.js';
import { type OperationName, type Operations, operationsOn } from './operations.js';
import type { GuestFacts, Handle } from './protocol.js';
import type { Ask } from './remote.js';

/** Who holds a state begins to serve after this: most commands have ended by then. */
const SERVE_AFTER_MS = 25;
/** When the holder has gone, the next one has to read its log. */
const TAKE_OVER_MS = 10_000;

export interface ParticipantOptions extends Omit<MembershipOptions, 'guest'> {
  durability: Durability;
  /** How long to wait for a holder that cannot be reached. */
  timeoutMs: number;
}

/** What a participant tells. */
export interface ParticipantEvents {
  /** As `StateStore.watch`. */
  changed: Watcher;
  /** It is the holder, or the guest of another one, from now on. */
  joined(): void;
}

/**
 * This process's part in a state: it is the holder or the guest of one, and what is asked is asked of whoever holds the state. When the
 * holder goes, this process becomes the holder or the guest of another one, and what was not answered is asked again (`protocol.ts`).
 */
export class Participant {
  readonly #options: ParticipantOptions;
  readonly #events: ParticipantEvents;
  readonly #guest: GuestFacts;
  /** Requests not answered yet, ascending, and who makes them. */
  readonly #requests = new Map<number, unknown>();
  #lastId = 0;
  /** Called whenever the last of them is answered. */
  #idle = (): void => undefined;
  #role: Role | undefined;
  #joining: Promise<Role> | undefined;
  #hasWritten = false;
  #closing: Promise<void> | undefined;
  /** As far as this process has heard. */
  #heard: Position & { backendKind: string } = { storeId: '', seq: 0, timeMs: 0, backendKind: '' };

  constructor(options: ParticipantOptions, events: ParticipantEvents) {
    this.#options = options;
    this.#events = events;
    this.#guest = { id: randomHex(8), process: thisProcess(), durability: options.durability };
  }

  /** Undefined while it is between two holders. */
  get role(): Role | undefined {
    return this.#role;
  }

  get backendKind(): string {
    return this.#role?.kind === 'holder' ? this.#role.store.backendKind : this.#heard.backendKind;
  }

  position(): Position {
    if (this.#role?.kind === 'holder') return this.#role.store.position();
    const { storeId, seq, timeMs } = this.#heard;
    return { storeId, seq, timeMs };
  }

  /** Takes note of a change that this process made as a guest. */
  reached(seq: number): void {
    this.#heard.seq = Math.max(this.#heard.seq, seq);
  }

  /** Throws as opening a store does, `STATE_LOCKED` among it. */
  async open(): Promise<void> {
    await this.#join(this.#options.timeoutMs, SERVE_AFTER_MS);
  }

  /** Asks for what changes something. */
  async change<Name extends OperationName>(
    name: Name,
    args: Parameters<Operations[Name]>,
    writer?: unknown,
  ): Promise<Awaited<ReturnType<Operations[Name]>>> {
    this.#hasWritten = true;
    return await this.ask(name, args, writer);
  }

  async ask<Name extends OperationName>(
    name: Name,
    args: Parameters<Operations[Name]>,
    writer?: unknown,
  ): Promise<Awaited<ReturnType<Operations[Name]>>> {
    this.assertOpen();
    // Without a pause, as the store has it: writes take effect in the order of the calls.
    const answer = this.#role?.kind === 'holder' ? this.#perform(this.#role, name, args, writer) : undefined;
    return (await (answer ?? this.#request(name, args, writer))) as Awaited<ReturnType<Operations[Name]>>;
  }

  /** Makes a generation that the holder has built the live one. */
  async activate(handle: Handle, origin: Omit<GenerationOrigin, 'changes' | 'receipt'>): Promise<ActivatedGeneration> {
    this.#hasWritten = true;
    return (await this.#request('generation.activate', [handle, origin])) as ActivatedGeneration;
  }

  /** Opens something with the holder that stays open there. */
  async openWith<T>(here: (role: Holder) => Promise<T>, there: (ask: Ask) => Promise<T>): Promise<T> {
    for (;;) {
      this.assertOpen();
      const role = await this.#present();
      if (role.kind === 'holder') return await here(role);
      try {
        return await there(this.#askerOf(role));
      } catch (error) {
        if (!(error instanceof HolderGone)) throw error;
      }
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  assertOpen(): void {
    if (this.#closing !== undefined) throw new LlmspellError('STATE_CLOSED', 'The state is closed.');
  }

  async #close(): Promise<void> {
    await this.#joining?.catch(() => undefined);
    if (this.#role?.kind === 'guest') await this.#finish();
    // Meanwhile it may have become another one.
    if (this.#role?.kind === 'guest') this.#role.link.close();
    else if (this.#role?.kind === 'holder') await letGo(this.#role);
  }

  /** As a store's own close leaves nothing unwritten. */
  async #finish(): Promise<void> {
    if (this.#hasWritten) await this.#request('flush', []).catch(() => undefined);
    if (this.#requests.size > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
  }

  async #perform({ store, server }: Holder, name: OperationName, args: readonly unknown[], writer: unknown) {
    const operation = operationsOn(store, { writer })[name] as (...args: readonly unknown[]) => Promise<unknown>;
    const result = await operation(...args);
    await server.settled();
    return result;
  }

  /** Asks whoever holds the state, and again whoever holds it then, until there is an answer; takes effect once. */
  async #request(name: OperationName | 'generation.activate', args: readonly unknown[], writer?: unknown) {
    const id = ++this.#lastId;
    this.#requests.set(id, writer);
    try {
      for (;;) {
        const role = await this.#present();
        if (role.kind === 'holder') return await this.#performAgain(role, id, name, args, writer);
        try {
          return await role.link.request(name, id, this.#lowest(), name === 'writeIf' ? packed(args) : args);
        } catch (error) {
          if (!(error instanceof HolderGone)) throw error;
        }
      }
    } finally {
      this.#requests.delete(id);
      if (this.#requests.size === 0) this.#idle();
    }
  }

  /** What was asked of an earlier holder, now that this process is the holder. */
  async #performAgain(
    role: Holder,
    id: number,
    name: OperationName | 'generation.activate',
    args: readonly unknown[],
    writer: unknown,
  ): Promise<unknown> {
    const receipt = role.server.receipts.find(this.#guest.id, id);
    if (receipt !== undefined) return receipt.answer;
    if (name === 'generation.activate') throw new HolderGone();
    return await this.#perform(role, name, args, writer);
  }

  #askerOf({ link }: Guest): Ask {
    const ask = (name: string, ...args: unknown[]) => link.request(name, ++this.#lastId, this.#lowest(), args);
    return ask as Ask;
  }

  #lowest(): number {
    return this.#requests.keys().next().value ?? this.#lastId;
  }

  async #present(): Promise<Role> {
    return this.#role ?? (await this.#join(TAKE_OVER_MS, 0));
  }

  async #join(timeoutMs: number, serveAfterMs: number): Promise<Role> {
    this.#joining ??= this.#enter(timeoutMs, serveAfterMs).finally(() => {
      this.#joining = undefined;
    });
    return await this.#joining;
  }

  async #enter(timeoutMs: number, serveAfterMs: number): Promise<Role> {
    let role: Role | undefined;
    let hasEnded = false;
    const ended = () => {
      hasEnded = true;
      if (this.#role === role) this.#lost();
    };
    const changed = (spared: number) => this.#events.changed(spared === 0 ? undefined : this.#requests.get(spared));
    const options = { ...this.#options, guest: this.#guest, isWanted: () => this.#isWanted() };
    role = await join(options, { changed, ended }, timeoutMs, serveAfterMs);
    if (role.kind === 'holder') role.store.watch((writer, names) => this.#events.changed(writer, names));
    else this.#heard = { ...role.link.facts };
    this.#role = hasEnded ? undefined : role;
    this.#events.joined();
    return role;
  }

  /** The holder has gone. Whether or not anybody asks for something, somebody has to hold what others may wait for. */
  #lost(): void {
    this.#role = undefined;
    this.#events.changed(undefined);
    if (this.#closing === undefined) void this.#join(TAKE_OVER_MS, 0).catch(() => undefined);
  }

  #isWanted(): boolean {
    return this.#closing === undefined && this.#options.isWanted();
  }
}

async function letGo({ server, store }: Holder): Promise<void> {
  try {
    await server.close();
  } finally {
    await store.close();
  }
}

const packed = ([reads, changes]: readonly unknown[]): unknown[] => [reads, packChanges(changes as readonly Change[])];
