import { compareEntries, isEqual, NOTHING_COMPARED, printed, sumOf } from '../backup/compare.js';
import type { Report } from '../backup/operation.js';
import { LlmspellError } from '../errors.js';
import type { GenerationWriter, StateSnapshot } from '../state/types.js';
import { throwIfAborted } from '../util/abort.js';
import type { Bytes } from '../util/bytes.js';
import type { RecoverySource } from './source.js';
import type { RestoreOptions } from './types.js';

export interface Build {
  source: RecoverySource;
  generation: GenerationWriter;
  /** Only these scopes of it. */
  scopes: readonly Bytes[] | undefined;
  report: Report;
  signal: AbortSignal | undefined;
}

/** Writes the state to go back to into the generation, page by page. */
export async function fill({ source, generation, scopes, report, signal }: Build): Promise<void> {
  let done = 0;
  for await (const page of source.writes(scopes)) {
    throwIfAborted(signal);
    await generation.write(page);
    done += page.length;
    report({ phase: 'restore', done, message: `${done} entries and changes written` });
  }
}

/** Reads the generation back and compares it, entry by entry, with what it was made from. Throws `RESTORE_FAILED`. */
export async function verify({ source, generation, scopes, report, signal }: Build): Promise<void> {
  let result = NOTHING_COMPARED;
  for (const part of source.parts) {
    throwIfAborted(signal);
    const restored = printed(generation.entries(scopes), part);
    result = sumOf(result, await compareEntries(source.prints(part, scopes), restored));
    report({ phase: 'verify', done: part.index + 1, total: part.count, message: `${result.same} entries compared` });
  }
  if (isEqual(result)) return;
  const different = result.changed + result.onlyLeft + result.onlyRight;
  throw new LlmspellError('RESTORE_FAILED', `${different} entries did not come out as they are in the backup.`);
}

export interface Effect {
  entriesRestored: number;
  entriesDeleted: number;
}

/** What restoring a source does to the present state. Nothing is deleted where what the backup does not have is preserved. */
export async function effectOn(
  present: StateSnapshot,
  source: RecoverySource,
  { scopes, preserveUntracked = false }: Pick<RestoreOptions, 'scopes' | 'preserveUntracked'>,
): Promise<Effect> {
  let result = NOTHING_COMPARED;
  for (const part of source.parts) {
    const now = printed(present.entries(scopes), part);
    result = sumOf(result, await compareEntries(source.prints(part, scopes), now));
  }
  return {
    entriesRestored: result.same + result.changed + result.onlyLeft,
    entriesDeleted: preserveUntracked ? 0 : result.onlyRight,
  };
}
