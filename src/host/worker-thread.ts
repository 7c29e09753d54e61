import { SHARE_ENV, Worker } from 'node:worker_threads';

// From the sources and from what is built of them alike: Node starts threads from built files only, and soonest from CommonJS.
const ENTRY = new URL('../../bin/worker.js', import.meta.url);

let ahead: Worker | undefined;

/** A thread that waits to be told which machine to build (`WorkerStart`), then what to run (`RunRequest`). */
export function takeWorker(): Worker {
  const worker = ahead ?? start();
  ahead = undefined;
  return worker;
}

/**
 * Starts the thread that the next `takeWorker` gives. For a program that knows from its first line that it will run a script: the thread
 * comes up on another core while the program reads its configuration.
 */
export function startWorkerAhead(): void {
  ahead ??= start();
}

/**
 * Without a copy of the environment, which takes time and which the thread does not look at. Node watches the descriptors that the thread
 * opens, and closes them when it is ended.
 */
function start(): Worker {
  return new Worker(ENTRY, { execArgv: [], env: SHARE_ENV, trackUnmanagedFds: true });
}
