import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { createOutputMemory, OutputWriter } from '../../src/channel/output.js';
import { OutputPump, type OutputSink } from '../../src/host/output-pump.js';

const OUTPUT = new URL('../../dist/channel/output.js', import.meta.url).href;

let worker: Worker | undefined;
afterEach(async () => {
  await worker?.terminate();
});

/** Runs `code` in a worker with `out`, an OutputWriter; what `sink` gets ends up in `chunks`. */
function start(code: string, sink?: OutputSink) {
  const memory = createOutputMemory();
  const chunks: [number, string][] = [];
  const pump = new OutputPump(
    memory,
    sink ?? ((stream, bytes) => void chunks.push([stream, Buffer.from(bytes).toString()])),
  );
  worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     import(${JSON.stringify(OUTPUT)}).then(({ OutputWriter }) => {
       const out = new OutputWriter(workerData, () => parentPort.postMessage('output'));
       const text = (s) => new TextEncoder().encode(s);
       ${code}
     });`,
    { eval: true, workerData: memory },
  );
  worker.on('message', () => pump.pump());
  const text = () => chunks.map(([, part]) => part).join('');
  return { worker, pump, chunks, text };
}

describe('the output of a script', () => {
  it('arrives whole when it is many times larger than the ring', async () => {
    const { worker, pump, text } = start(`for (let i = 0; i < 100000; i++) out.write(1, text(i + '\\n'));`);
    await once(worker, 'exit');
    await pump.finish();
    expect(text()).toBe(Array.from({ length: 100_000 }, (_, i) => `${i}\n`).join(''));
  });

  it('keeps the order of stdout and stderr', async () => {
    const { worker, pump, text, chunks } = start(
      `for (let i = 0; i < 200; i++) { out.write(1, text('o' + i + ' ')); out.write(2, text('e' + i + ' ')); }`,
    );
    await once(worker, 'exit');
    await pump.finish();
    expect(text()).toBe(Array.from({ length: 200 }, (_, i) => `o${i} e${i} `).join(''));
    expect(chunks[0]).toEqual([1, 'o0 ']);
    expect(chunks[1]).toEqual([2, 'e0 ']);
  });

  it('is not lost when the worker is terminated without ever having flushed', async () => {
    const { worker, pump, text } = start(
      `out.write(1, text('before the end\\n')); parentPort.postMessage('written'); for (;;);`,
    );
    await once(worker, 'message');
    await worker.terminate();
    await pump.finish();
    expect(text()).toBe('before the end\n');
  });

  it('is written while the script goes on without printing', async () => {
    let seen!: () => void;
    const written = new Promise<void>((resolve) => {
      seen = resolve;
    });
    const { pump } = start(`out.write(1, text('x')); for (;;);`, () => seen());
    await written;
    await worker?.terminate();
    await pump.finish();
  });

  it('makes a flush wait until the sink has taken everything', async () => {
    let finished = 0;
    const { worker, pump } = start(
      `out.write(1, text('x'.repeat(200000))); out.flush(); parentPort.postMessage('flushed');`,
      async (_stream, bytes) => {
        await new Promise((resolve) => setImmediate(resolve));
        finished += bytes.length;
      },
    );
    await new Promise<void>((resolve) => worker.on('message', (m) => m === 'flushed' && resolve()));
    expect(finished).toBe(200_000);
    await pump.finish();
  });

  it('tells the worker when nobody reads any more, and does not count that as a failure', async () => {
    const { worker, pump } = start(`while (!out.closed) out.write(1, text('x'.repeat(1000)));`, () => {
      throw Object.assign(new Error('broken'), { code: 'EPIPE' });
    });
    await once(worker, 'exit');
    await expect(pump.finish()).resolves.toBeUndefined();
  });

  it('does not wait for ever for a sink that takes nothing, once the worker has ended', async () => {
    const { worker, pump } = start(
      `out.write(1, text('x')); out.write(1, text('y'));`,
      () => new Promise(() => undefined),
    );
    await once(worker, 'exit');
    await expect(pump.finish()).resolves.toBeUndefined();
  });

  it('leaves the thread its turn, however fast the script prints', async () => {
    const memory = createOutputMemory();
    const script = new OutputWriter(memory, () => undefined);
    let timerFired = false;
    let rounds = 0;
    // Whenever something is taken there is more, as if the script were faster than the sink.
    const pump = new OutputPump(memory, () => {
      if (!timerFired && ++rounds < 1e6) script.write(1, Buffer.from('x'));
    });
    script.write(1, Buffer.from('x'));
    setTimeout(() => {
      timerFired = true;
    }, 1);
    await pump.finish();
    expect(timerFired).toBe(true);
  });

  it('ends with what the sink threw', async () => {
    const { worker, pump } = start(`out.write(1, text('x')); out.flush();`, () => {
      throw new Error('the disk is full');
    });
    await once(worker, 'exit');
    await expect(pump.finish()).rejects.toThrow('the disk is full');
  });
});
