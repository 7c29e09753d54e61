import { comparable, differenceOf, walkTogether } from '../backup/compare.js';
import type { Report } from '../backup/operation.js';
import { LlmspellError } from '../errors.js';
import type { GenerationWriter, StateSnapshot } from '../state/types.js';
import { throwIfAborted } from '../util/abort.js';
import type { Bytes } from '../util/bytes.js';
import { mapInOrder } from '../util/in-order.js';
import type { RecoverySource } from './source.js';

/** Pages that are written while the next ones are read; commits take effect in the order of the calls. */
const WRITES_IN_FLIGHT = 3;
/** Entries between two reports. */
const TELL_EVERY = 10_000;

export interface Build {
  source: RecoverySource;
  /** How many writes it tells, where that is known. */
  writeCount: number | undefined;
  /** Only these scopes of it. */
  scopes: readonly Bytes[] | undefined;
  report: Report;
  signal: AbortSignal | undefined;
}

/** What restoring a source does to the present state. */
export interface Effect {
  entriesRestored: number;
  entriesDeleted: number;
}

/** Writes the state to go back to into the generation, page by page. */
export async function fill(
  { source, writeCount, scopes, report, signal }: Build,
  generation: GenerationWriter,
): Promise<void> {
  let done = 0;
  const written = mapInOrder(source.writes(scopes), WRITES_IN_FLIGHT, async (page) => {
    throwIfAborted(signal);
    await generation.write(page);
    return page.length;
  });
  for await (const count of written) {
    done += count;
    const total = writeCount === undefined ? {} : { total: writeCount };
    report({ phase: 'restore', done, ...total, message: `${done} entries and changes written` });
  }
}

/**
 * Walks the source and the present state together, and tells what restoring does; with a generation, reads that back too and compares it
 * with the source entry by entry. Throws `RESTORE_FAILED` where it is not the same.
 */
export async function compare(build: Build, present: StateSnapshot, generation?: GenerationWriter): Promise<Effect> {
  const { source, scopes, report, signal } = build;
  const tell = () => {
    throwIfAborted(signal);
    const done = effect.entriesRestored;
    if (generation) report({ phase: 'verify', done, message: `${done} entries compared` });
  };
  const effect: Effect = { entriesRestored: 0, entriesDeleted: 0 };
  let different = 0;
  const names = comparable({ entries: (some) => present.keys(some) });
  const states = [source, names, ...(generation ? [comparable(generation)] : [])];
  const visit = (_key: Bytes, [wanted, now, built]: Parameters<Parameters<typeof walkTogether>[2]>[1]) => {
    if (!wanted && now) effect.entriesDeleted++;
    if (wanted && ++effect.entriesRestored % TELL_EVERY === 0) tell();
    if (generation && (wanted || built) && differenceOf(wanted, built) !== 'same') different++;
  };
  await walkTogether(states, scopes, visit, tell);
  if (different === 0) return effect;
  throw new LlmspellError('RESTORE_FAILED', `${different} entries did not come out as they are in the backup.`);
}
