import { decodeValue, encodeValue } from '../state/codec.js';
import type { ListOptions, StateStore } from '../state/types.js';
import { type Bytes, textOf, utf8 } from '../util/bytes.js';

/** Scopes and keys from TypeScript: text stands for its UTF-8 bytes. */
export type Name = string | Bytes;

/** A step in the life of a key, with its value decoded; `undefined` where it was deleted. */
export interface HistoryEntry {
  value: unknown;
  deleted: boolean;
  timeMs: number;
  seq: number;
}

export interface ListRange {
  prefix?: Name;
  /** Only keys after this one, in byte order. */
  after?: Name;
  limit?: number;
}

/**
 * State with JavaScript values (see `codec.ts` for which Lua value becomes which). Every method throws the `STATE_…` errors of
 * opening, and `KEY_INVALID`, `VALUE_INVALID`, `VALUE_TOO_LARGE`, `STATE_READONLY`, `STATE_DAMAGED` where they fit.
 */
export class StateAccess {
  readonly #store: () => Promise<StateStore>;

  constructor(store: () => Promise<StateStore>) {
    this.#store = store;
  }

  /** The value, or `undefined` where there is none. */
  async get(scope: Name, key: Name): Promise<unknown> {
    const stored = await (await this.#store()).get(bytesOf(scope), bytesOf(key));
    return stored && decodeValue(stored.value);
  }

  async has(scope: Name, key: Name): Promise<boolean> {
    return await (await this.#store()).has(bytesOf(scope), bytesOf(key));
  }

  /** `null` and `undefined` delete, as `nil` does. Resolves by the configured durability. */
  async set(scope: Name, key: Name, value: unknown): Promise<void> {
    const encoded = value === undefined || value === null ? null : encodeValue(value);
    await (await this.#store()).write([{ scope: bytesOf(scope), key: bytesOf(key), value: encoded }]);
  }

  /** Whether there was something to delete. */
  async delete(scope: Name, key: Name): Promise<boolean> {
    const change = { scope: bytesOf(scope), key: bytesOf(key), value: null };
    return (await (await this.#store()).write([change])).effective > 0;
  }

  /** Keys in byte order; one that is not UTF-8 comes as bytes. */
  async list(scope: Name, range: ListRange = {}): Promise<Name[]> {
    return (await (await this.#store()).list(bytesOf(scope), listOptions(range))).map(nameOf);
  }

  async scopes(): Promise<Name[]> {
    return (await (await this.#store()).scopes()).map(nameOf);
  }

  /** Removes every key of a scope; resolves with their number. */
  async clear(scope: Name): Promise<number> {
    return await (await this.#store()).clear(bytesOf(scope));
  }

  /** Newest first, as far back as the history reaches. */
  async history(scope: Name, key: Name, options: { limit?: number } = {}): Promise<HistoryEntry[]> {
    const items = await (await this.#store()).history(bytesOf(scope), bytesOf(key), options);
    return items.map(({ value, timeMs, seq }) => ({
      value: value === null ? undefined : decodeValue(value),
      deleted: value === null,
      timeMs,
      seq,
    }));
  }

  /** Resolves when everything written before is on disk. */
  async flush(): Promise<void> {
    await (await this.#store()).flush();
  }
}

const bytesOf = (name: Name): Bytes => (typeof name === 'string' ? utf8(name) : name);
const nameOf = (bytes: Bytes): Name => textOf(bytes) ?? bytes;

const listOptions = ({ prefix, after, limit }: ListRange): ListOptions => ({
  ...(prefix !== undefined && { prefix: bytesOf(prefix) }),
  ...(after !== undefined && { after: bytesOf(after) }),
  ...(limit !== undefined && { limit }),
});
