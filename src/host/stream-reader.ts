import type { Readable } from 'node:stream';

const EVENTS = ['readable', 'end', 'close', 'error'] as const;

/**
 * The next bytes of a stream, however many there are; none at its end. The stream is left paused.
 *
 * @param signal gives up waiting: none
 */
export async function readSome(stream: Readable, signal?: AbortSignal): Promise<Uint8Array> {
  for (;;) {
    const chunk = stream.read() as Buffer | string | null;
    if (chunk !== null) return typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    if (stream.readableEnded || stream.destroyed || stream.errored || signal?.aborted) return new Uint8Array();
    await untilItMoves(stream, signal);
  }
}

function untilItMoves(stream: Readable, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const moved = () => {
      for (const event of EVENTS) stream.off(event, moved);
      signal?.removeEventListener('abort', moved);
      resolve();
    };
    for (const event of EVENTS) stream.on(event, moved);
    signal?.addEventListener('abort', moved);
  });
}
