import type { ListRange, PendingChange, ReadMark, StatePort } from '../channel/protocol.js';
import { LlmspellError } from '../errors.js';
import { type Bytes, compareBytes } from '../util/bytes.js';
import { increased } from '../util/increment.js';

/**
 * A state as seen from inside a transaction: reads are remembered, writes are kept back and shine through. Optimistic: nothing is
 * locked, and {@link end} fails where something that was read has changed meanwhile. (Keys that a `list` showed are not checked, only values
 * that were read.) Its base may be a transaction itself: then ending the inner one hands its writes to the outer one.
 */
export class Transaction implements StatePort {
  readonly #base: StatePort;
  readonly #reads = new Map<string, ReadMark & { value: Bytes | undefined }>();
  readonly #writes = new Map<string, PendingChange>();

  constructor(base: StatePort) {
    this.#base = base;
  }

  /** Makes all writes visible together; false, and no effect, where something that was read has changed. */
  end(): boolean {
    const reads = [...this.#reads.values()].map(({ scope, key, seq }) => ({ scope, key, seq }));
    const writes = [...this.#writes.values()];
    // One read alone is consistent with itself.
    return (writes.length === 0 && reads.length < 2) || this.#base.commit(reads, writes);
  }

  get(scope: Bytes, key: Bytes, view?: number): Bytes | undefined {
    if (view !== undefined) return this.#base.get(scope, key, view);
    return this.read(scope, key)?.value;
  }

  has(scope: Bytes, key: Bytes, view?: number): boolean {
    return view === undefined ? this.read(scope, key) !== undefined : this.#base.has(scope, key, view);
  }

  read(scope: Bytes, key: Bytes): { value: Bytes; seq: number } | undefined {
    const name = nameOf(scope, key);
    const written = this.#writes.get(name);
    const value = written === undefined ? this.#readBase(name, scope, key).value : written.value;
    return value === undefined || value === null ? undefined : { value, seq: 0 };
  }

  #readBase(name: string, scope: Bytes, key: Bytes): { value: Bytes | undefined } {
    let read = this.#reads.get(name);
    if (read === undefined) {
      const found = this.#base.read(scope, key);
      read = { scope: scope.slice(), key: key.slice(), seq: found?.seq ?? 0, value: found?.value };
      this.#reads.set(name, read);
    }
    return read;
  }

  set(scope: Bytes, key: Bytes, value: Bytes | null): void {
    this.#write(scope, key, value === null ? null : value.slice());
  }

  delete(scope: Bytes, key: Bytes): boolean {
    const there = this.has(scope, key);
    if (there) this.#write(scope, key, null);
    return there;
  }

  #write(scope: Bytes, key: Bytes, value: Bytes | null): void {
    this.#writes.set(nameOf(scope, key), { scope: scope.slice(), key: key.slice(), value });
  }

  /** An update inside the transaction: what it read is remembered already. */
  commit(_reads: readonly ReadMark[], changes: readonly PendingChange[]): boolean {
    for (const { scope, key, value } of changes) this.#write(scope, key, value);
    return true;
  }

  increment(scope: Bytes, key: Bytes, by: Bytes): Bytes {
    const old = this.read(scope, key);
    const sum = increased(old?.value, by);
    this.#write(scope, key, sum);
    return sum;
  }

  list(scope: Bytes, range: ListRange, view?: number): Bytes[] {
    if (view !== undefined) return this.#base.list(scope, range, view);
    const own = [...this.#writes.values()].filter((change) => compareBytes(change.scope, scope) === 0);
    if (own.length === 0) return this.#base.list(scope, range);
    // Of the keys that the base lists, at most `own.length` are gone here.
    const limit = range.limit === undefined ? undefined : range.limit + own.length;
    const names = new Set(own.map(({ key }) => latin1(key)));
    const merged = this.#base
      .list(scope, { ...range, ...(limit !== undefined && { limit }) })
      .filter((key) => !names.has(latin1(key)));
    for (const { key, value } of own) if (value !== null && inRange(key, range)) merged.push(key);
    return merged.sort(compareBytes).slice(0, range.limit);
  }

  scopes(view?: number): Bytes[] {
    if (view !== undefined) return this.#base.scopes(view);
    const touched = new Map([...this.#writes.values()].map(({ scope }) => [latin1(scope), scope]));
    const rest = this.#base.scopes().filter((scope) => !touched.has(latin1(scope)));
    const filled = [...touched.values()].filter((scope) => this.list(scope, { limit: 1 }).length > 0);
    return [...rest, ...filled].sort(compareBytes);
  }

  clear(scope: Bytes): number {
    const keys = this.list(scope, {});
    for (const key of keys) this.#write(scope, key, null);
    return keys.length;
  }

  history(scope: Bytes, key: Bytes, limit: number | undefined): Bytes {
    return this.#base.history(scope, key, limit);
  }

  at(when: Bytes): number {
    return this.#base.at(when);
  }

  flush(): never {
    throw notInside('flush');
  }

  call(name: string): never {
    throw notInside(name);
  }
}

const latin1 = (bytes: Bytes): string => Buffer.from(bytes).toString('latin1');

const nameOf = (scope: Bytes, key: Bytes): string => `${scope.length}:${latin1(scope)}${latin1(key)}`;

const inRange = (key: Bytes, { prefix, after }: ListRange): boolean =>
  (after === undefined || compareBytes(key, after) > 0) &&
  (prefix === undefined || compareBytes(key.subarray(0, prefix.length), prefix) === 0);

const notInside = (name: string): LlmspellError =>
  new LlmspellError('USAGE', `State.${name} cannot be used inside a transaction.`, {
    hint: 'Call it before or after the transaction.',
  });
