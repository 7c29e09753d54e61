/**
 * `npm run bench:backup [entries] [runs]`: backups and restores of a `level` state with checksums on, beside Redis, restic, borg and zstd
 * with the same entries on the same disk. Minimum of the runs; each run measures all of them one after the other.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectoryRepository } from '../dist/backup/directory-repository.js';
import { BackupManager } from '../dist/backup/manager.js';
import type { BackupOptions } from '../dist/backup/types.js';
import { RecoveryOrchestrator } from '../dist/recovery/orchestrator.js';
import { createLevelBackend } from '../dist/state/backends/level.js';
import { decodeKey } from '../dist/state/key.js';
import { openStore } from '../dist/state/store.js';
import type { RawEntry, StateStore } from '../dist/state/types.js';
import { realisticEntries } from './entries.js';
import { installedRivals, type RivalFigures } from './rivals.js';

const count = Number(process.argv[2] ?? 200_000);
const runs = Number(process.argv[3] ?? 5);
const PAGE = 1000;

const options: BackupOptions = {
  compression: { type: 'zstd', level: 3 },
  incrementalEnabled: true,
  fullIntervalSeconds: 0,
  maxChainLength: 1000,
  retention: { maxBackups: 0, maxAgeSeconds: 0, keepHourly: 0, keepDaily: 0, keepWeekly: 0, keepMonthly: 0 },
};
const encrypted: BackupOptions = {
  ...options,
  encryptionKey: async () => ({ kind: 'raw', bytes: new Uint8Array(32).fill(1) }),
};

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return (performance.now() - from) / 1000;
}

async function write(store: StateStore, entries: readonly RawEntry[]): Promise<void> {
  for (let at = 0; at < entries.length; at += PAGE) {
    const page = entries.slice(at, at + PAGE);
    await store.write(page.map(({ key, value }) => ({ ...decodeKey(key)!, value })));
  }
  await store.flush();
}

/** One entry in a hundred, with new content. */
const changed = (entries: readonly RawEntry[], round: number): RawEntry[] =>
  entries.flatMap(({ key }, i) =>
    i % 100 === round % 100 ? { key, value: entries[(i + 7 * round + 1) % entries.length]!.value } : [],
  );

const directory = mkdtempSync(join(tmpdir(), 'llmspell-bench-'));
const entries = realisticEntries(count);
const rawBytes = entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
console.log(`${count} entries, ${(rawBytes / 1e6).toFixed(1)} MB, minimum of ${runs}`);

const store = await openStore(createLevelBackend({ directory: join(directory, 'state') }));
await write(store, entries);
const repository = new DirectoryRepository(join(directory, 'backups'));
const backups = new BackupManager({ repository, options, store });
const sealed = new BackupManager({
  repository: new DirectoryRepository(join(directory, 'sealed')),
  options: encrypted,
  store,
});
const recovery = new RecoveryOrchestrator({ store, backups });
const rivals = await installedRivals(directory, entries);

const best = new Map<string, number>();
const keep = (name: string, figure: number) => best.set(name, Math.min(best.get(name) ?? figure, figure));
const theirs = new Map<string, RivalFigures>();

for (let run = 0; run < runs; run++) {
  keep('full backup', await seconds(() => backups.create()));
  const full = await backups.find('latest');
  keep('size', full.sizeBytes);
  keep('full backup, encrypted', await seconds(() => sealed.create()));
  keep('validate', await seconds(() => backups.validate(full.id)));
  await write(store, changed(entries, run));
  keep('incremental after 1 %', await seconds(() => backups.create({ incremental: true })));
  keep('size of the incremental', (await backups.find('latest')).sizeBytes);
  let undo = '';
  const restore = async () => {
    undo = (await recovery.restore({ backupId: full.id })).rollbackId!;
  };
  keep('restore', await seconds(restore));
  keep(
    'restore, chain not read first',
    await seconds(() => recovery.restore({ backupId: full.id }, { verify: false })),
  );
  keep('undo a restore', await seconds(() => recovery.restore({ backupId: undo })));
  for (const rival of rivals) {
    const figures: RivalFigures = await rival.measure();
    const before = theirs.get(rival.name) ?? figures;
    const least = Object.entries(figures).map(([name, figure]) => [
      name,
      Math.min(figure, before[name as keyof RivalFigures] ?? figure),
    ]);
    theirs.set(rival.name, Object.fromEntries(least) as RivalFigures);
  }
}

const row = (...cells: string[]) =>
  console.log(cells.map((cell, i) => (i ? cell.padStart(14) : cell.padEnd(32))).join(''));
const shown = (name: string, figure: number) =>
  name.startsWith('size') ? `${(figure / 1e6).toFixed(2)} MB` : `${(figure * 1000).toFixed(1)} ms`;
for (const [name, figure] of best) row(name, shown(name, figure));
row('');
row('ours / theirs', 'backup', 'validate', 'restore', 'size');
const ours: Required<RivalFigures> = {
  backup: best.get('full backup')!,
  validate: best.get('validate')!,
  restore: best.get('restore')!,
  sizeBytes: best.get('size')!,
};
for (const [name, figures] of theirs) {
  const cells = (['backup', 'validate', 'restore', 'sizeBytes'] as const).map((what) => {
    const figure = figures[what];
    return figure === undefined ? '-' : `${(ours[what] / figure).toFixed(2)}`;
  });
  row(name, ...cells);
}
row('');
row('incremental / full', (best.get('incremental after 1 %')! / ours.backup).toFixed(3));
row('encrypted / not', (best.get('full backup, encrypted')! / ours.backup).toFixed(2));
console.log(`Peak memory of the process: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);

for (const rival of rivals) await rival.close();
await store.close();
rmSync(directory, { recursive: true, force: true });
