/**
 * `npm run bench:scale [entries] [bytes of a value]`: builds a state once and measures what must not grow with it: opening, get, set, a list by
 * prefix, an incremental backup, and the memory that all of it takes. Beside it the same of a state of a thousand entries.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openHost } from '../dist/index.js';
import { utf8 } from '../dist/util/bytes.js';

const BATCH = 1000;
const SMALL = 1000;
const [entries = 10_000_000, valueBytes = 20] = process.argv.slice(2).map(Number);
const scope = utf8('s');

/** A thousand keys in each group, written far from each other. */
const keyOf = (i: number, count: number): Uint8Array => utf8(`group${i % (count / 1000)}:key${i}`);

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

async function least(runs: number, work: (run: number) => Promise<unknown>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) best = Math.min(best, await timed(() => work(run)));
  return best;
}

const open = (directory: string) => {
  const backup = { backup_dir: join(directory, 'backups') };
  const settings = {
    runtime: { state_persistence: { backend_type: 'level', path: join(directory, 'state'), backup } },
  };
  return openHost({ settings, directory });
};

async function build(directory: string, count: number): Promise<void> {
  await using host = await open(directory);
  const store = await host.store();
  const text = 'x'.repeat(Math.max(0, valueBytes - 8));
  for (let i = 0; i < count; i += BATCH) {
    const changes = Array.from({ length: BATCH }, (_, n) => {
      // A MessagePack string of 32 bits length; different for each entry.
      const value = Buffer.from(`\xdb\0\0\0\0${text}${String(i + n).padStart(8, '0')}`, 'latin1');
      value.writeUInt32BE(value.length - 5, 1);
      return { scope, key: keyOf(i + n, count), value };
    });
    await store.write(changes);
  }
  await store.flush();
  await (await host.backups()).create({});
}

/** Milliseconds. */
async function measure(directory: string, count: number): Promise<Record<string, number>> {
  const opening = await least(5, async () => {
    const host = await open(directory);
    await host.store();
    await host.close();
  });
  await using host = await open(directory);
  const store = await host.store();
  const number = (run: number) => (run * 7_919_317 + 13) % count;
  const get = await least(5, async (run) => {
    for (let i = 0; i < 1000; i++) await store.get(scope, keyOf(number(run * 1000 + i), count));
  });
  const set = await least(5, async (run) => {
    const value = Uint8Array.of(7);
    for (let i = 0; i < 1000; i++) await store.write([{ scope, key: keyOf(number(run * 1000 + i), count), value }]);
    await store.flush();
  });
  const list = await least(5, (run) =>
    store.list(scope, { prefix: utf8(`group${run % (count / 1000)}:`), limit: 1000 }),
  );
  const backups = await host.backups();
  const incremental = await least(3, async (run) => {
    await store.write([{ scope, key: keyOf(number(run), count), value: Uint8Array.of(run) }]);
    await backups.create({ incremental: true });
  });
  return { opening, 'get of 1,000': get, 'set of 1,000': set, 'list of 1,000 by prefix': list, incremental };
}

const directory = mkdtempSync(join(tmpdir(), 'llmspell-scale-'));
try {
  const [small, large] = [join(directory, 'small'), join(directory, 'large')];
  await build(small, SMALL);
  const built = await timed(() => build(large, entries));
  console.log(
    `${entries.toLocaleString('en-US')} entries of ${valueBytes} bytes, with a full backup: ${(built / 1000).toFixed(1)} s`,
  );
  const [few, many] = [await measure(small, SMALL), await measure(large, entries)];
  for (const [what, ms] of Object.entries(many))
    console.log(`  ${what}: ${ms.toFixed(2)} ms, ${(ms / few[what]!).toFixed(2)} × that of ${SMALL} entries`);
  console.log(`  peak memory of it all: ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`);
} finally {
  rmSync(directory, { recursive: true });
}
