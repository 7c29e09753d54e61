import { parentPort } from 'node:worker_threads';
import type { RunRequest, WorkerStart } from '../channel/start.js';
import { prepare } from './machine.js';

// The worker's start: builds the machine it is told to, then waits for the one script that it will run. A worker that is kept warm
// waits here.
const host = parentPort!;
host.once('message', (start: WorkerStart) => {
  const machine = prepare(start);
  host.once('message', async (run: RunRequest) => {
    host.postMessage((await machine).run(run));
    start.port.close();
  });
});
