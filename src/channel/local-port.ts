import type { Bytes } from '../util/bytes.js';
import { hashOfName } from '../util/name-hash.js';
import { bucketOf, NAME_BUCKETS } from '../util/name-set.js';
import type { ListRange, PendingChange, ReadMark, StateChannel, StatePort } from './protocol.js';
import { type Ahead, ReadAhead } from './read-ahead.js';
import type { RingWriter } from './ring.js';
import { View } from './view.js';

/**
 * `State`'s operations as a script has them: what is known is read from its own view, writes go into the ring, and everything else is a round
 * trip, which the host answers after it has emptied the ring (`protocol.ts` tells the whole story).
 *
 * A round trip may run a listener of the script, and that may do anything: names are copied before it, and what comes back is
 * believed only where nothing was written or forgotten meanwhile.
 */
export class LocalPort implements StatePort {
  readonly #channel: StateChannel;
  readonly #ring: RingWriter;
  readonly #view: View;
  readonly #ahead = new ReadAhead();
  /** Those before a read that brings entries along. */
  readonly #epochs = new Int32Array(NAME_BUCKETS);
  /** Of the state as a whole: what the view knows was true in it. */
  #epoch = 0;
  /** Counts what changes the view. */
  #version = 0;
  /** Whether writes go through the ring; known once the state is open. */
  #isRinged: boolean | undefined;

  constructor(channel: StateChannel, ring: RingWriter) {
    this.#channel = channel;
    this.#ring = ring;
    this.#view = new View(ring.bucketEpochs);
  }

  get(scope: Bytes, key: Bytes, view?: number): Bytes | undefined {
    if (view !== undefined) return this.#channel.get(scope, key, view);
    this.#begin();
    const known = this.#view.get(scope, key, hashOfName(scope, key));
    if (known !== undefined) return known ?? undefined;
    const ahead = this.#ahead.missed(scope, key);
    const ask = (s: Bytes, k: Bytes) => (ahead === undefined ? this.#channel.get(s, k) : this.#getAhead(s, k, ahead));
    return this.#learn(scope, key, (s, k) => ask(s, k) ?? null) ?? undefined;
  }

  has(scope: Bytes, key: Bytes, view?: number): boolean {
    if (view !== undefined) return this.#channel.has(scope, key, view);
    this.#begin();
    const known = this.#view.get(scope, key, hashOfName(scope, key));
    if (known !== undefined) return known !== null;
    let is = false;
    // Where there is something it is not known what.
    this.#learn(scope, key, (s, k) => {
      is = this.#channel.has(s, k);
      return is ? undefined : null;
    });
    return is;
  }

  set(scope: Bytes, key: Bytes, value: Bytes | null): void {
    this.#begin();
    const hash = hashOfName(scope, key);
    // Before the change can be drained: what others write after it must not pass for what they wrote before.
    const epoch = this.#view.epochOf(hash);
    if (this.#isRinged && this.#ring.put(scope, key, hash, value)) {
      this.#version++;
      this.#view.put(scope, key, hash, value, epoch);
      return;
    }
    const own = value === null ? null : value.slice();
    this.#learn(scope, key, (s, k) => {
      this.#channel.set(s, k, own);
      return own;
    });
  }

  /** A round trip although the view may know: of several scripts that delete one key, exactly one must be told that it did. */
  delete(scope: Bytes, key: Bytes): boolean {
    this.#begin();
    let was = false;
    this.#learn(scope, key, (s, k) => {
      was = this.#channel.delete(s, k);
      return null;
    });
    return was;
  }

  increment(scope: Bytes, key: Bytes, by: Bytes): Bytes {
    this.#begin();
    return this.#learn(scope, key, (s, k) => this.#channel.increment(s, k, by));
  }

  commit(reads: readonly ReadMark[], changes: readonly PendingChange[]): boolean {
    const isDone = this.#channel.commit(reads, changes);
    this.#version++;
    for (const { scope, key } of changes) this.#view.forget(scope, key, hashOfName(scope, key));
    return isDone;
  }

  clear(scope: Bytes): number {
    return this.#channel.clear(scope);
  }

  list(scope: Bytes, range: ListRange, view?: number): Bytes[] {
    if (view !== undefined) return this.#channel.list(scope, range, view);
    const ownScope = scope.slice();
    const names = this.#channel.list(ownScope, range);
    if (names.length > 1) this.#ahead.listed(ownScope, names[0]!);
    return names;
  }

  scopes(view?: number): Bytes[] {
    return this.#channel.scopes(view);
  }

  read(scope: Bytes, key: Bytes): { value: Bytes; seq: number } | undefined {
    return this.#channel.read(scope, key);
  }

  history(scope: Bytes, key: Bytes, limit: number | undefined): Bytes {
    return this.#channel.history(scope, key, limit);
  }

  at(when: Bytes): number {
    return this.#channel.at(when);
  }

  flush(): void {
    this.#channel.flush();
  }

  call(name: string, args: Bytes): Bytes {
    // Opens the state before a listener can run, so that no round trip of a set comes between taking its names and using them.
    this.#begin();
    return this.#channel.call(name, args);
  }

  #getAhead(scope: Bytes, key: Bytes, { after, limit }: Ahead): Bytes | undefined {
    this.#view.copyEpochs(this.#epochs);
    const { value, more } = this.#channel.getAhead(scope, key, after, limit);
    for (let i = 0; i < more.length; i += 2) {
      const name = more[i]!;
      const hash = hashOfName(scope, name);
      this.#view.put(scope, name, hash, more[i + 1]!, this.#epochs[bucketOf(hash)]!);
    }
    this.#ahead.brought(more.at(-2));
    return value;
  }

  /** Forgets everything where somebody else has changed the state. */
  #begin(): void {
    this.#isRinged ??= this.#channel.open();
    const epoch = this.#ring.epoch;
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.#version++;
    this.#view.clear();
  }

  /** Makes a round trip and keeps the value of the key that comes back; null: there is none, undefined: it is not known. */
  #learn<T extends Bytes | null | undefined>(scope: Bytes, key: Bytes, ask: (scope: Bytes, key: Bytes) => T): T {
    const [ownScope, ownKey] = [scope.slice(), key.slice()];
    const hash = hashOfName(scope, key);
    const version = ++this.#version;
    const epoch = this.#view.epochOf(hash);
    // Where the round trip fails it may have changed something all the same.
    this.#view.forget(scope, key, hash);
    const value = ask(ownScope, ownKey);
    if (value !== undefined && version === this.#version) this.#view.put(ownScope, ownKey, hash, value, epoch);
    else this.#view.forget(ownScope, ownKey, hash);
    return value;
  }
}
