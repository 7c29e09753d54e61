import type { MessagePort } from 'node:worker_threads';
import { LlmspellError, toPlainError } from '../errors.js';
import type { Bytes } from '../util/bytes.js';
import type { Reply, Request } from './protocol.js';

export interface CallContext {
  /** Tells the script something while this call is under way. */
  emit(event: Bytes): void;
}

/** What the host answers, by operation. The context follows the arguments that the worker sent. */
export type Handlers = Readonly<Record<string, (args: readonly unknown[], context: CallContext) => unknown>>;

/** The host's end of the channel: answers every request with what its handler returns or throws, and never waits for the worker. */
export class Responder {
  readonly #port: MessagePort;
  readonly #bell: Int32Array;
  readonly #handlers: Handlers;

  constructor(port: MessagePort, bell: Int32Array, handlers: Handlers) {
    this.#port = port;
    this.#bell = bell;
    this.#handlers = handlers;
    port.on('message', (request: Request) => this.#answer(request));
  }

  /** Hears and answers nothing any more. */
  close(): void {
    this.#port.close();
  }

  #answer({ id, operation, args }: Request): void {
    const reply = id === undefined ? () => undefined : (body: object) => this.#post({ id, ...body } as Reply);
    const fail = (error: unknown) => reply({ error: toPlainError(error) });
    try {
      const handler = this.#handlers[operation];
      if (handler === undefined) throw new LlmspellError('INTERNAL', `The host has no operation "${operation}".`);
      const context = { emit: (event: Bytes) => reply({ event }) };
      const result = handler(args, context);
      // What is known at once is told at once: each step of a promise is a part of what a round trip takes.
      if (result instanceof Promise) result.then((value: unknown) => reply({ value })).catch(fail);
      else reply({ value: result });
    } catch (error) {
      fail(error);
    }
  }

  #post(reply: Reply): void {
    this.#port.postMessage(reply);
    Atomics.add(this.#bell, 0, 1);
    Atomics.notify(this.#bell, 0);
  }
}
