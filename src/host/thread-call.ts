import type { Session } from 'node:inspector';

interface FromThread {
  params: { sessionId: string };
}

let connected: Promise<{ send(message: string): void }> | undefined;

/**
 * Calls a global function in every thread of this process that has it, whatever the thread is doing: in the middle of a loop, also of one inside
 * WebAssembly, and while it waits. V8 interrupts the thread for it; nothing is spent before.
 *
 * @param args plain values
 */
export async function callInThreads(name: string, ...args: readonly unknown[]): Promise<void> {
  connected ??= connect();
  const call = `globalThis[${JSON.stringify(name)}]?.(${args.map((arg) => JSON.stringify(arg)).join(', ')})`;
  (await connected).send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: call } }));
}

/** Loaded only when it is needed: the inspector is not there in every build of Node. */
async function connect() {
  const { Session } = await import('node:inspector');
  const session: Session = new Session();
  session.connect();
  const threads = new Set<string>();
  session.on('NodeWorker.attachedToWorker', ({ params }: FromThread) => threads.add(params.sessionId));
  session.on('NodeWorker.detachedFromWorker', ({ params }: FromThread) => threads.delete(params.sessionId));
  await new Promise<void>((resolve, reject) => {
    session.post('NodeWorker.enable', { waitForDebuggerOnStart: false }, (error) =>
      error ? reject(error) : resolve(),
    );
  });
  return {
    send(message: string) {
      for (const sessionId of threads) session.post('NodeWorker.sendMessageToWorker', { sessionId, message });
    },
  };
}
