import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { Level } from 'level';
import { toPlainError } from '../../errors.js';
import type { Bytes } from '../../util/bytes.js';
import { levelError } from './level-errors.js';
import { packPage, type ScanAnswer, type ScanRequest, type ScanStart } from './level-scan-protocol.js';

// Reads ranges of a store that the main thread has open, through a handle of its own on the same LevelDB.

const PAGE_ENTRIES = 2000;
const PAGE_BYTES = 1 << 20;

type Database = Level<Bytes, Bytes>;

const { directory } = workerData as ScanStart;
const database: Database = new Level(join(directory, 'db'), {
  keyEncoding: 'view',
  valueEncoding: 'view',
  multithreading: true,
});
const snapshots = new Map<number, ReturnType<Database['snapshot']>>();
const scans = new Map<number, { nextv(size: number): Promise<[Bytes, Bytes][]>; close(): Promise<void> }>();

async function answer(request: ScanRequest): Promise<ArrayBuffer | undefined> {
  await database.open();
  switch (request.op) {
    case 'snapshot':
      snapshots.set(request.snapshot, database.snapshot());
      return;
    case 'release':
      await snapshots.get(request.snapshot)?.close();
      snapshots.delete(request.snapshot);
      return;
    case 'begin': {
      const { keysOnly, ...range } = request.range;
      const snapshot = snapshots.get(request.snapshot)!;
      const options = { ...range, snapshot, values: !keysOnly, fillCache: false, highWaterMarkBytes: PAGE_BYTES };
      scans.set(request.scan, database.iterator(options));
      return;
    }
    case 'next': {
      const page = await scans.get(request.scan)!.nextv(PAGE_ENTRIES);
      return page.length === 0 ? undefined : packPage(page);
    }
    case 'end':
      await scans.get(request.scan)?.close();
      scans.delete(request.scan);
  }
}

let line: Promise<void> = Promise.resolve();

parentPort!.on('message', (request: ScanRequest) => {
  line = line.then(async () => {
    try {
      const page = await answer(request);
      parentPort!.postMessage({ page } as ScanAnswer, page === undefined ? [] : [page]);
    } catch (error) {
      parentPort!.postMessage({ error: toPlainError(levelError(error, directory)) } satisfies ScanAnswer);
    }
  });
});
