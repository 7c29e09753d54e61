import type { Socket } from 'node:net';
import type { Bytes } from '../util/bytes.js';
import { MOST_FRAME_BYTES } from './protocol.js';
import { decodeMessage, encodeMessage } from './wire.js';

const LENGTH_BYTES = 4;

export interface ConnectionEvents {
  /** A message; where it throws, the connection ends. */
  message(message: unknown): void;
  /** No message comes any more. Called once. */
  ended(): void;
  /** The other side reads again: see `isFluent`. */
  fluent?(): void;
}

/** One end of a socket: whole messages in and out. */
export class Connection {
  readonly #socket: Socket;
  readonly #events: ConnectionEvents;
  readonly #isBounded: boolean;
  #parts: Buffer[] = [];
  #bytes = 0;
  #hasEnded = false;

  /**
   * @param isBounded the other side is not listened to while it does not read what it asked for, so that what waits for it stays
   * bounded; for one of the two, since both would wait for each other
   */
  constructor(socket: Socket, events: ConnectionEvents, isBounded: boolean) {
    this.#socket = socket;
    this.#events = events;
    this.#isBounded = isBounded;
    socket.on('data', (part: Buffer) => this.#take(part));
    socket.on('drain', () => {
      socket.resume();
      events.fluent?.();
    });
    // What went wrong does not matter: what was not answered is asked again.
    socket.on('error', () => socket.destroy());
    socket.on('end', () => this.#end());
    socket.on('close', () => this.#end());
  }

  /** Whether the other side reads what it is sent. */
  get isFluent(): boolean {
    return !this.#socket.writableNeedDrain;
  }

  /** Sends, and reports whether it fits a frame. */
  send(message: readonly unknown[]): boolean {
    if (this.#hasEnded) return true;
    const body = encodeMessage(message);
    if (body.length > MOST_FRAME_BYTES) return false;
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(body.length);
    this.#socket.cork();
    this.#socket.write(length);
    const isFluent = this.#socket.write(body);
    this.#socket.uncork();
    if (!isFluent && this.#isBounded) this.#socket.pause();
    return true;
  }

  /** Lets the process end although the connection stands; or not. */
  keepAlive(isNeeded: boolean): void {
    if (isNeeded) this.#socket.ref();
    else this.#socket.unref();
  }

  /** Ends it when everything sent is on its way. */
  finish(): void {
    this.#socket.end();
    this.#end();
  }

  destroy(): void {
    this.#socket.destroy();
    this.#end();
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#events.ended();
    // Both directions, and after what was sent.
    this.#socket.end(() => this.#socket.destroy());
  }

  #take(part: Buffer): void {
    this.#parts.push(part);
    this.#bytes += part.length;
    try {
      for (let body = this.#next(); body !== undefined; body = this.#next()) this.#events.message(decodeMessage(body));
    } catch {
      this.destroy();
    }
  }

  /** The next whole frame. */
  #next(): Bytes | undefined {
    if (this.#hasEnded || this.#bytes < LENGTH_BYTES) return undefined;
    if (this.#parts[0]!.length < LENGTH_BYTES) this.#join();
    const length = this.#parts[0]!.readUInt32BE();
    if (length > MOST_FRAME_BYTES) throw new RangeError('The frame is too long.');
    if (this.#bytes < LENGTH_BYTES + length) return undefined;
    if (this.#parts[0]!.length < LENGTH_BYTES + length) this.#join();
    const whole = this.#parts[0]!;
    this.#parts[0] = whole.subarray(LENGTH_BYTES + length);
    this.#bytes -= LENGTH_BYTES + length;
    if (this.#parts[0].length === 0) this.#parts.shift();
    return whole.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
  }

  #join(): void {
    this.#parts = [Buffer.concat(this.#parts)];
  }
}
