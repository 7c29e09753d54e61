import type { PlainError } from '../errors.js';
import type { Bytes } from '../util/bytes.js';

/**
 * The conversation between a script's thread and the host.
 *
 * The worker asks by posting a {@link Request} on a `MessagePort` and sleeps on one cell of shared memory; the host answers with a
 * {@link Reply} on the same port, adds 1 to the cell and wakes the worker, which then takes the reply from the port without its event loop
 * (`receiveMessageOnPort`). The port carries payloads of any size and keeps their order; the cell only wakes. Between request and
 * reply the host may post events. The host never waits for the worker. (Measured: 19–24 µs for a round trip with three byte strings;
 * `Atomics.waitAsync` without any payload 14 µs, plus what cutting payloads into slots would cost.)
 */
export const PROTOCOL_VERSION = 1;

/** A request without an id wants no reply. */
export interface Request {
  id?: number;
  operation: string;
  args: readonly unknown[];
}

export type Reply =
  | { id: number; value: unknown }
  | { id: number; error: PlainError }
  /** Something to tell the script while request `id` is under way. */
  | { id: number; event: Bytes };

/** As `ListOptions` of the store. */
export interface ListRange {
  prefix?: Bytes;
  /** Only keys after this one, in byte order. */
  after?: Bytes;
  limit?: number;
}

/** What was read of a key; `seq` 0: it was not there. */
export interface ReadMark {
  scope: Bytes;
  key: Bytes;
  seq: number;
}

/** `value` null deletes. */
export interface PendingChange {
  scope: Bytes;
  key: Bytes;
  value: Bytes | null;
}

/**
 * What the `State` global needs of whoever holds the state. Values are MessagePack. Byte strings that are handed in may lie in the VM's
 * memory: they are good for the duration of the call only. Failures are thrown as `LlmspellError`.
 *
 * The worker sees these operations as they stand, synchronous; the host implements {@link Answering} of them. `view` is what `at` returned;
 * without it the present is read.
 */
export interface StatePort {
  get(scope: Bytes, key: Bytes, view?: number): Bytes | undefined;
  has(scope: Bytes, key: Bytes, view?: number): boolean;
  list(scope: Bytes, range: ListRange, view?: number): Bytes[];
  scopes(view?: number): Bytes[];
  set(scope: Bytes, key: Bytes, value: Bytes): void;
  /** Whether there was something. */
  delete(scope: Bytes, key: Bytes): boolean;
  /** Returns the number of entries removed. */
  clear(scope: Bytes): number;
  /** Returns when everything written before is on disk. */
  flush(): void;
  /** The value together with the sequence number of the change that wrote it, for `commit`. */
  read(scope: Bytes, key: Bytes): { value: Bytes; seq: number } | undefined;
  /** All changes together if nothing of `reads` has changed since; false, and no effect, where something has. */
  commit(reads: readonly ReadMark[], changes: readonly PendingChange[]): boolean;
  /** Adds `by`, a number, to a number (0 where there is none), as Lua adds; returns the sum. */
  increment(scope: Bytes, key: Bytes, by: Bytes): Bytes;
  /** Newest first: an array of `{value, deleted, at_ms, seq}`. */
  history(scope: Bytes, key: Bytes, limit: number | undefined): Bytes;
  /** Opens a read-only view of the past (`when`: seconds, ISO-8601 or a backup id); it is closed when the script ends. */
  at(when: Bytes): number;
  /** An operation by its name (`create_backup`, …): an array of arguments in, a value out. Events may come meanwhile. */
  call(name: string, args: Bytes): Bytes;
}

/** The host's side of a set of operations: the same, but it may take its time. */
export type Answering<Operations> = {
  [Name in keyof Operations]: Operations[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Result | Promise<Result>
    : never;
};
