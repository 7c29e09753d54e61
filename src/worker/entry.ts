import { parentPort } from 'node:worker_threads';
import type { RunRequest, WorkerStart } from '../channel/start.js';
import { compileModule } from '../lua/module.js';
import type { Machine } from './machine.js';

// The worker's start: loads what every machine needs, builds the machine it is told to, then waits for the one script that it will run. A
// worker that is kept warm waits here. The module is compiled on other threads while the rest is loaded.
void compileModule();
const { loadLoader, prepare } = await import('./machine.js');
loadLoader();

const host = parentPort!;
host.once('message', (start: WorkerStart) => {
  const machine = prepare(start);
  host.once('message', (run: RunRequest) => void work(start, machine, run));
});

async function work(start: WorkerStart, machine: Promise<Machine>, run: RunRequest): Promise<void> {
  host.postMessage((await machine).run(run));
  start.port.close();
}
