import type { Durability } from '../state/types.js';
import type { Bytes } from '../util/bytes.js';
import type { ProcessIdentity } from '../util/process-identity.js';

/**
 * The conversation between the process that holds a state (it has LevelDB's lock) and the others that work on it.
 *
 * **The place.** A Unix socket, `share/socket` in the state's directory, mode 0600 in a directory of mode 0700: whoever may read the state's
 * files may speak to it, nobody else. Only the holder touches it: a socket that a killed process left is replaced by the next holder.
 *
 * **Frames.** The length (32 bits, big-endian), then one MessagePack array: text as `str`, bytes as `bin`, records as maps with text keys. A
 * frame that is none, or longer than {@link MOST_FRAME_BYTES}, ends the connection.
 *
 * **Greeting.** Both sides begin with `[MAGIC, version, facts]`, which every version understands. With another version nothing else is said: the
 * guest waits for the lock, as where there is no socket at all.
 *
 * **Requests.** `[operation, id, lowest, ...arguments]` is answered by `["ok", id, result]` (without a result: undefined) or `["error", id, error]`.
 * Ids ascend; `lowest` is the lowest one not answered yet. Requests take effect in the order in which they arrive.
 *
 * **One order of changes.** There is one store, the holder's. What a guest changes is in it before it is answered, and no longer in
 * memory only: the death of the holder takes nothing from a guest that it was told of. (What the durability says of a power cut stays as it is.)
 *
 * **What a script remembers of the state** (its view) must be forgotten, in whichever process, before anybody is told of the change:
 * the holder sends `["changed", 0, number, spared]` to every guest that may remember something, the guest forgets, answers `["seen", 0, number]`, and
 * until then the holder answers nobody, its own scripts included (`host/output-pump.ts` has the same rule for what they print). So reads and
 * writes are linearizable over all processes. A guest that has not asked anything since it last forgot has nothing to forget and is not told. `spared` is the id of the
 * request that made the change, whose script knows. A guest that does not answer for {@link PATIENCE_MS} is sent away; it forgets when
 * it notices. (What is not promised: a process that was stopped for that long, or has not yet noticed the holder's death, may read once more what it knew.)
 *
 * **The end of the holder.** Whether it ends or is killed, its connections end. Every guest then tries to become the holder: LevelDB's lock lets
 * one, the others become its guests. What was sent and not answered is then sent again. It takes effect once all the same: the holder keeps, in
 * the commit of the change itself, a receipt of what it did for which request (`receipts.ts`), and answers from it. What rested on the old holder's memory
 * (a snapshot that was being read, a restore that was being built) fails with `STATE_UNAVAILABLE`, and has changed nothing.
 */
export const PROTOCOL_VERSION = 2;
export const MAGIC = 'llmspell-state';
export const MOST_FRAME_BYTES = 256 << 20;
export const PATIENCE_MS = 2000;

/** What the guest says of itself. */
export interface GuestFacts {
  /** Of this guest, over all its connections. */
  id: string;
  process: ProcessIdentity;
  /** That of its own configuration: with `always` a change is on disk before it is answered. */
  durability: Durability;
}

/** What the holder says of itself. */
export interface HolderFacts {
  pid: number;
  storeId: string;
  backendKind: string;
  seq: number;
  timeMs: number;
}

/** A page of what an iterator on the holder's side yields; undefined: there is no more. */
export type Page = readonly unknown[] | undefined;

export type Message = readonly [kind: string, id: number, ...rest: unknown[]];

/** A handle of the holder's: a snapshot, a generation or an iterator. */
export type Handle = number;

/** Entries as they travel: key, value, key, value, … */
export type FlatEntries = readonly (Bytes | null)[];
