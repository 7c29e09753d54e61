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
 *
 * ## Without a round trip
 *
 * A script's gets and sets must cost less than that, so most make none (`local-port.ts`):
 *
 * - **Writes** go into a ring in shared memory (`ring.ts`), each with the time it was made. The host empties it in order, in batches, into the store. A
 *   full ring makes the script wait; nothing is dropped. A large value goes in pieces, of which the host makes the change when the last one is
 *   there. (As quick as a round trip was, in CPU time 2.7 ms of 1 MB in memory and 9 ms on disk either way; with a sixth less memory, and one way for
 *   all sizes.) A name so long that the state may refuse it is a round trip, which tells the script where it stands.
 * - **Reads** come from the worker's view (`view.ts`): what the script has written and read. A value holds while its epoch stands still: names
 *   fall into 1024 buckets by their hashes, and beside the ring there is a cell for each. Whenever anybody else changes values (another
 *   script, the embedding program), the host moves the epochs of their buckets, in the moment in which the store begins to show the change and before
 *   whoever did it is told that it is done; with a restore, a failed commit, and what a guest's holder tells (`share/protocol.ts`), that of
 *   the state as a whole, and everything is forgotten. What is forgotten may be the script's own write: that is in the ring, and the round trip that
 *   the next read makes finds it in the store. A value is kept with the epoch from before it was asked for, or put into the ring: what
 *   moved it since then may not be in the value. So each read is what the store's one order had at a moment between the read's beginning and its end,
 *   or the script's own write that is yet to come there; and as changes move their epochs in that order, no read goes back in it.
 *   What the view does not know is one round trip, which the store answers at once where its backend reads without waiting. Where a script seems to
 *   read one key after the other, as after a list, it brings entries along that come next (`read-ahead.ts`), all with the epochs from before it.
 *   For reads in any order other ways were measured (CPU time of both sides, random keys of 200,000 on disk; the round trip is 25 µs, 19 of them the
 *   port's). A thread that waits for keys in shared memory and reads a handle of its own on LevelDB: 16, without any of what would make it right
 *   (changes accepted and not committed, swaps of generations, table files); to spin before sleeping makes it 20, and as soon as the processors have
 *   something else to do a bare exchange takes 50–230. Key and value through shared memory, to and from the host: 15 instead of the port's 19. A
 *   handle in the script's own thread: 4 to 12; but it opens by an event of the thread's loop, which stands still while the script runs, opening it before every script
 *   costs 5 ms and more, and reading without waiting for that event crashed the process when scripts were ended.
 * - **Every round trip empties the ring first.** So there is one order of a script's changes, whichever way they took, and what it reads
 *   contains what it wrote. Several scripts meet in the store, which has one order for all; another script's write is seen as soon as the
 *   host has applied it. What must be exact between scripts (delete's answer, increment, update, transaction) is a round trip.
 * - **Durability.** With `interval` and `none` a set returns when it is in the ring, which outlives the script: however that ends, what it
 *   had written is taken. With `always` a set is a round trip that ends when it is on disk; with a read-only state one that fails.
 * - **Failures.** Where the store refuses what came out of the ring (a full disk), the ring takes nothing more, and the error is raised by
 *   the script's next round trip, which its next set now is; where there is none, it is how the script ends.
 * - **Waking.** The host looks into the ring every millisecond while something comes, and then sleeps; the first write after that wakes it by
 *   a message. It never waits inside: other scripts and timers go on.
 */
export const PROTOCOL_VERSION = 3;

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
  /** The bytes are good until the next call. */
  get(scope: Bytes, key: Bytes, view?: number): Bytes | undefined;
  has(scope: Bytes, key: Bytes, view?: number): boolean;
  list(scope: Bytes, range: ListRange, view?: number): Bytes[];
  scopes(view?: number): Bytes[];
  /** `value` null deletes. */
  set(scope: Bytes, key: Bytes, value: Bytes | null): void;
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

/** The operations as they go over the channel. */
export interface StateChannel extends StatePort {
  /**
   * As `get`; and where `key` is the next one after `after` in its scope (undefined: in any case), some of the entries after it come along, at most
   * `limit`: key, value, key, value, …
   */
  getAhead(
    scope: Bytes,
    key: Bytes,
    after: Bytes | undefined,
    limit: number,
  ): { value: Bytes | undefined; more: Bytes[] };
  /** Opens the state. Returns whether sets may go through the ring. */
  open(): boolean;
}

/** The host's side of a set of operations: the same, but it may take its time. */
export type Answering<Operations> = {
  [Name in keyof Operations]: Operations[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Result | Promise<Result>
    : never;
};
