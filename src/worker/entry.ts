import { parentPort } from 'node:worker_threads';
import type { RunRequest, WorkerStart } from '../channel/start.js';
import { luaModule } from '../lua/module.js';
import { type Machine, prepare } from './machine.js';

// The worker's start: makes what every machine needs, builds the machine it is told to, then waits for the one script that it will run. A
// worker that is kept warm waits here.
luaModule();

const host = parentPort!;
host.once('message', (start: WorkerStart) => {
  const machine = prepare(start);
  host.once('message', (run: RunRequest) => void work(start, machine, run));
});

async function work(start: WorkerStart, machine: Promise<Machine>, run: RunRequest): Promise<void> {
  host.postMessage((await machine).run(run));
  start.port.close();
}
