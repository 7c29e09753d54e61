import { comparable, differenceOf, type Part, walkTogether } from '../backup/compare.js';
import type { Report } from '../backup/operation.js';
import { LlmspellError } from '../errors.js';
import type { GenerationWriter, StateSnapshot } from '../state/types.js';
import { throwIfAborted } from '../util/abort.js';
import type { Bytes } from '../util/bytes.js';
import { mapInOrder } from '../util/in-order.js';
import type { RecoverySource } from './source.js';

/** Pages that are written while the next ones are read; commits take effect in the order of the calls. */
const WRITES_IN_FLIGHT = 3;

export interface Build {
  source: RecoverySource;
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
export async function fill({ source, scopes, report, signal }: Build, generation: GenerationWriter): Promise<void> {
  let done = 0;
  const written = mapInOrder(source.writes(scopes), WRITES_IN_FLIGHT, async (page) => {
    throwIfAborted(signal);
    await generation.write(page);
    return page.length;
  });
  for await (const count of written) {
    done += count;
    report({ phase: 'restore', done, message: `${done} entries and changes written` });
  }
}

/**
 * Walks the source and the present state together, and tells what restoring does; with a generation, reads that back too and compares it
 * with the source entry by entry. Throws `RESTORE_FAILED` where it is not the same.
 */
export async function compare(build: Build, present: StateSnapshot, generation?: GenerationWriter): Promise<Effect> {
  const { source, scopes, report, signal } = build;
  const effect: Effect = { entriesRestored: 0, entriesDeleted: 0 };
  let different = 0;
  const names = comparable({ entries: (some) => present.keys(some) });
  const states = [source, names, ...(generation ? [comparable(generation)] : [])];
  const visit = (_key: Bytes, [wanted, now, built]: Parameters<Parameters<typeof walkTogether>[2]>[1]) => {
    if (wanted) effect.entriesRestored++;
    else if (now) effect.entriesDeleted++;
    if (generation && (wanted || built) && differenceOf(wanted, built) !== 'same') different++;
  };
  await walkTogether(states, scopes, visit, ({ index, count }: Part) => {
    throwIfAborted(signal);
    const message = `${effect.entriesRestored} entries compared`;
    if (generation) report({ phase: 'verify', done: index, total: count, message });
  });
  if (different === 0) return effect;
  throw new LlmspellError('RESTORE_FAILED', `${different} entries did not come out as they are in the backup.`);
}
