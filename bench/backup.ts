/**
 * `npm run bench:backup [entries] [runs]`: backups and restores of a `level` state with checksums on, beside Redis, Tarantool, restic, borg and
 * zstd with the same entries on the same disk. Minimum of the runs; each run measures all of them one after the other, each when what this
 * process does in the background has come to rest. Memory and the larger state: `bench:backup:large`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectoryRepository } from '../dist/backup/directory-repository.js';
import { BackupManager } from '../dist/backup/manager.js';
import { drill } from '../dist/recovery/drill.js';
import { RecoveryOrchestrator } from '../dist/recovery/orchestrator.js';
import { decodeKey } from '../dist/state/key.js';
import type { RawEntry, StateStore } from '../dist/state/types.js';
import { realisticEntries } from './entries.js';
import { atRest, OPTIONS, openBench, seconds } from './harness.js';
import { installedRivals, type RivalFigures } from './rivals.js';
import { writerSlowdown } from './writer.js';

const count = Number(process.argv[2] ?? 200_000);
const runs = Number(process.argv[3] ?? 5);
const PAGE = 1000;
const FIGURES = ['backup', 'validate', 'restore', 'sizeBytes'] as const;

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

const [state, archives] = [join(directory, 'state'), join(directory, 'backups')];
const { store, backups } = await openBench(state, archives);
await write(store, entries);
const sealed = new BackupManager({
  repository: new DirectoryRepository(join(directory, 'sealed')),
  options: { ...OPTIONS, encryptionKey: async () => ({ kind: 'raw', bytes: new Uint8Array(32).fill(1) }) },
  store,
});
const recovery = new RecoveryOrchestrator({ store, backups });
const rivals = await installedRivals(directory, entries);

const best = new Map<string, number>();
const keep = (name: string, figure: number) => best.set(name, Math.min(best.get(name) ?? figure, figure));
const measure = async (name: string, work: () => Promise<unknown>) => {
  await atRest();
  keep(name, await seconds(work));
};
const theirs = new Map<string, RivalFigures>();

for (let run = 0; run < runs; run++) {
  await measure('full backup', () => backups.create());
  const full = await backups.find('latest');
  keep('size', full.sizeBytes);
  await measure('full backup, encrypted', () => sealed.create());
  await measure('validate', () => backups.validate(full.id));
  await measure('drill', () => drill(backups, full.id));
  await write(store, changed(entries, run));
  await measure('incremental after 1 %', () => backups.create({ incremental: true }));
  keep('size of the incremental', (await backups.find('latest')).sizeBytes);
  let undo = '';
  await measure('restore', async () => {
    undo = (await recovery.restore({ backupId: full.id })).rollbackId!;
  });
  await measure('restore, archive not checked', () => recovery.restore({ backupId: full.id }, { verify: false }));
  await measure('rollback point', async () => (await store.newGeneration()).discard());
  await measure('undo a restore', () => recovery.restore({ backupId: undo }));
  await atRest();
  for (const rival of rivals) {
    const figures = await rival.measure();
    const before = theirs.get(rival.name) ?? figures;
    theirs.set(
      rival.name,
      Object.fromEntries(
        FIGURES.flatMap((name) => {
          const figure = figures[name];
          return figure === undefined ? [] : [[name, Math.min(figure, before[name] ?? figure)]];
        }),
      ),
    );
  }
}
for (const rival of rivals) await rival.close();
await store.close();

const row = (...cells: string[]) =>
  console.log(cells.map((cell, i) => (i ? cell.padStart(14) : cell.padEnd(32))).join(''));
const shown = (name: string, figure: number) =>
  name.startsWith('size') ? `${(figure / 1e6).toFixed(2)} MB` : `${(figure * 1000).toFixed(1)} ms`;
for (const [name, figure] of best) row(name, shown(name, figure));

row('');
row('the others', ...FIGURES);
for (const [name, figures] of theirs) {
  row(name, ...FIGURES.map((what) => (figures[what] === undefined ? '-' : shown(what, figures[what]))));
}
row('');
row('ours / theirs', ...FIGURES);
const ours: Required<RivalFigures> = {
  backup: best.get('full backup')!,
  validate: best.get('validate')!,
  restore: best.get('restore')!,
  sizeBytes: best.get('size')!,
};
for (const [name, figures] of theirs) {
  row(name, ...FIGURES.map((what) => (figures[what] === undefined ? '-' : (ours[what] / figures[what]).toFixed(2))));
}
row('');
row('incremental / full', (best.get('incremental after 1 %')! / ours.backup).toFixed(3));
row('encrypted / not', (best.get('full backup, encrypted')! / ours.backup).toFixed(2));
row('writing script, with backups', (await writerSlowdown(directory, runs)).toFixed(2));

rmSync(directory, { recursive: true, force: true });
