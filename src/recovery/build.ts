import { comparable, walkTogether } from '../backup/compare.js';
import type { Report } from '../backup/operation.js';
import { LlmspellError } from '../errors.js';
import type { GenerationWriter, StateSnapshot } from '../state/types.js';
import { throwIfAborted } from '../util/abort.js';
import type { Bytes } from '../util/bytes.js';
import { mapInOrder } from '../util/in-order.js';
import type { RecoverySource } from './source.js';

/** Pages that are written while the next ones are read; commits take effect in the order of the calls. */
const WRITES_IN_FLIGHT = 2;
/** Entries between two reports. */
const TELL_EVERY = 10_000;

export interface Build {
  source: RecoverySource;
  /** It has no more entries than this, where that is known. */
  mostEntries: number | undefined;
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
  { source, mostEntries, scopes, report, signal }: Build,
  generation: GenerationWriter,
): Promise<void> {
  let done = 0;
  const written = mapInOrder(source.entries(scopes), WRITES_IN_FLIGHT, async (page) => {
    throwIfAborted(signal);
    await generation.write(page);
    return page.length;
  });
  for await (const count of written) {
    done += count;
    const total = mostEntries === undefined ? {} : { total: mostEntries };
    report({ phase: 'restore', done, ...total, message: `${done} entries written` });
  }
}

/**
 * Walks the state to go back to and the present one together, and tells what restoring does. With a generation that was filled from the
 * source, it reads that back instead, and throws `RESTORE_FAILED` where anything of it is not what was written: each entry that comes
 * from the backend is held, by its checksum and in its order, against the one that came from the source.
 */
export async function compare(build: Build, present: StateSnapshot, generation?: GenerationWriter): Promise<Effect> {
  const { source, scopes, report, signal } = build;
  const tell = () => {
    throwIfAborted(signal);
    const done = effect.entriesRestored;
    if (generation) report({ phase: 'verify', done, message: `${done} entries compared` });
  };
  const effect: Effect = { entriesRestored: 0, entriesDeleted: 0 };
  const back = generation?.readBack();
  const wanted = back ? comparable({ entries: () => back.entries }) : source;
  const names = comparable({ entries: (some) => present.keys(some) });
  const visit: Visit = (_key, [restored]) => {
    if (!restored) effect.entriesDeleted++;
    else if (++effect.entriesRestored % TELL_EVERY === 0) tell();
  };
  await walkTogether([wanted, names], scopes, visit, tell);
  if (!back || back.isExact()) return effect;
  throw new LlmspellError(
    'RESTORE_FAILED',
    'What was written beside the state did not come back as it is in the backup.',
    {
      hint: 'Nothing has been changed. Look at the disk with `llmspell state check`, then try again.',
    },
  );
}

type Visit = Parameters<typeof walkTogether>[2];
