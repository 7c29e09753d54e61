import { parentPort, workerData } from 'node:worker_threads';
import type { RunRequest, WorkerStart } from '../channel/start.js';
import { prepare } from './machine.js';

// The worker's start: builds the machine, then waits for the one script that it will run. A worker that is kept warm waits here.
const start = workerData as WorkerStart;
const host = parentPort!;
const machine = prepare(start);
host.once('message', (run: RunRequest) => void work(run));

async function work(run: RunRequest): Promise<void> {
  host.postMessage((await machine).run(run));
  start.port.close();
}
