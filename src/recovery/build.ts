import { comparable, walkTogether } from '../backup/compare.js';
import type { Report } from '../backup/operation.js';
import { LlmspellError } from '../errors.js';
import type { GenerationWriter, LiveSnapshot, StateSnapshot } from '../state/types.js';
import { throwIfAborted } from '../util/abort.js';
import type { Bytes } from '../util/bytes.js';
import { mapInOrder } from '../util/in-order.js';
import { goneCandidates } from './gone-candidates.js';
import { GoneKeys } from './gone-keys.js';
import type { RecoverySource } from './source.js';

/** Pages that are written while the next ones are read; commits take effect in the order of the calls. */
const WRITES_IN_FLIGHT = 2;
/** Entries between two looks at whether it is still wanted. */
const LOOK_EVERY = 10_000;

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

/** Writes the state to go back to into the generation, page by page, and tells what that does to the present state. */
export async function fill(build: Build, generation: GenerationWriter, present: LiveSnapshot): Promise<Effect> {
  const { source, mostEntries, scopes, report, signal } = build;
  const gone = new GoneKeys(goneCandidates(present, source.position, scopes));
  let done = 0;
  const written = mapInOrder(gone.passing(source.pages(scopes)), WRITES_IN_FLIGHT, async (page) => {
    throwIfAborted(signal);
    await generation.write(page);
    return page.length;
  });
  for await (const count of written) {
    done += count;
    const total = mostEntries === undefined ? {} : { total: mostEntries };
    report({ phase: 'restore', done, ...total, message: `${done} entries written` });
  }
  return { entriesRestored: done, entriesDeleted: gone.count };
}

/** Throws `RESTORE_FAILED` where anything that was written is not in the backend as it came from the source: by the checksum of each entry. */
export async function verify({ report, signal }: Build, generation: GenerationWriter, entries: number): Promise<void> {
  const tell = (done: number) => {
    report({ phase: 'verify', done, total: entries, message: `${done} entries compared` });
    throwIfAborted(signal);
  };
  tell(0);
  if (await generation.verify(tell)) return tell(entries);
  throw new LlmspellError(
    'RESTORE_FAILED',
    'What was written beside the state did not come back as it is in the backup.',
    {
      hint: 'Nothing has been changed. Look at the disk with `llmspell state check`, then try again.',
    },
  );
}

/** Walks the state to go back to and the present one together, and tells what restoring would do. */
export async function compare(build: Build, present: StateSnapshot): Promise<Effect> {
  const { source, scopes, signal } = build;
  const effect: Effect = { entriesRestored: 0, entriesDeleted: 0 };
  const names = comparable({ entries: (some) => present.keys(some) });
  const visit: Visit = (_key, [restored]) => {
    if (restored) effect.entriesRestored++;
    else effect.entriesDeleted++;
    if ((effect.entriesRestored + effect.entriesDeleted) % LOOK_EVERY === 0) throwIfAborted(signal);
  };
  await walkTogether([source, names], scopes, visit, () => throwIfAborted(signal));
  return effect;
}

type Visit = Parameters<typeof walkTogether>[2];
