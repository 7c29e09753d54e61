import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { LlmspellError } from '../errors.js';
import type { Bytes } from '../util/bytes.js';
import { unpackNames } from './names.js';
import type { Reply, StateChannel, StatePort } from './protocol.js';

export type EventListener = (event: Bytes) => void;

/** The worker's end of the channel: asks, and blocks the thread until the answer is there. */
export class Caller {
  readonly #port: MessagePort;
  readonly #bell: Int32Array;
  /** Called during a call with what the host has to tell meanwhile. It may make calls of its own. */
  onEvent: EventListener = () => undefined;
  #lastId = 0;
  /** Ids of the calls under way, an outer one first: a listener's calls are inside the call that it listens to. */
  readonly #waiting = new Map<number, Reply | undefined>();

  /** @param bell the shared cell that the host changes after each message */
  constructor(port: MessagePort, bell: Int32Array) {
    this.#port = port;
    this.#bell = bell;
  }

  /** Throws the host's failure as `LlmspellError`. */
  call(operation: string, args: readonly unknown[]): unknown {
    const id = ++this.#lastId;
    this.#waiting.set(id, undefined);
    try {
      this.#port.postMessage({ id, operation, args });
      return outcome(this.#await(id));
    } finally {
      this.#waiting.delete(id);
    }
  }

  /** Tells the host something, and does not wait. */
  notify(operation: string, args: readonly unknown[] = []): void {
    this.#port.postMessage({ operation, args });
  }

  #await(id: number): Reply {
    for (;;) {
      const early = this.#waiting.get(id);
      if (early !== undefined) return early;
      this.#take(this.#next());
    }
  }

  #take(reply: Reply): void {
    if ('event' in reply) this.onEvent(reply.event);
    else if (this.#waiting.has(reply.id)) this.#waiting.set(reply.id, reply);
  }

  #next(): Reply {
    for (;;) {
      // Read before looking: a message that comes after the look has changed the cell, and the wait returns at once.
      const rung = Atomics.load(this.#bell, 0);
      const received = receiveMessageOnPort(this.#port);
      if (received !== undefined) return received.message as Reply;
      Atomics.wait(this.#bell, 0, rung);
    }
  }
}

function outcome(reply: Reply): unknown {
  if ('error' in reply) throw new LlmspellError(reply.error.code, reply.error.message, { hint: reply.error.hint });
  return 'value' in reply ? reply.value : undefined;
}

/** Views into the VM's memory must be copied before they are posted: a view is cloned with the whole memory under it. */
const own = (bytes: Bytes): Bytes => bytes.slice();

/** What comes of `getAhead`, as it travels. */
export interface FoundAhead {
  value: Bytes | undefined;
  more: Bytes;
}

/** `State`'s operations over the channel, one round trip each. */
export function stateChannel(caller: Caller): StateChannel {
  return {
    open: () => caller.call('open', []) as boolean,
    get: (scope, key, view) => caller.call('get', [own(scope), own(key), view]) as Bytes | undefined,
    getAhead: (scope, key, after, limit) => {
      const found = caller.call('getAhead', [own(scope), own(key), after, limit]) as FoundAhead;
      return { value: found.value, more: unpackNames(found.more) };
    },
    has: (scope, key, view) => caller.call('has', [own(scope), own(key), view]) as boolean,
    list: (scope, range, view) => unpackNames(caller.call('list', [own(scope), range, view]) as Bytes),
    scopes: (view) => unpackNames(caller.call('scopes', [view]) as Bytes),
    set: (scope, key, value) => void caller.call('set', [own(scope), own(key), value && own(value)]),
    delete: (scope, key) => caller.call('delete', [own(scope), own(key)]) as boolean,
    clear: (scope) => caller.call('clear', [own(scope)]) as number,
    flush: () => void caller.call('flush', []),
    read: (scope, key) => caller.call('read', [own(scope), own(key)]) as ReturnType<StatePort['read']>,
    commit: (reads, changes) => caller.call('commit', [reads, changes]) as boolean,
    increment: (scope, key, by) => caller.call('increment', [own(scope), own(key), own(by)]) as Bytes,
    history: (scope, key, limit) => caller.call('history', [own(scope), own(key), limit]) as Bytes,
    at: (when) => caller.call('at', [own(when)]) as number,
    call: (name, args) => caller.call('call', [name, own(args)]) as Bytes,
  };
}
