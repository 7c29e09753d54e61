import { LlmspellError, toLlmspellError } from '../errors.js';
import { Merge } from '../recovery/merge.js';
import { type ExactJson, fromExactJson, toExactJson } from '../state/exact-json.js';
import { decodeKey, encodeKey } from '../state/key.js';
import type { ActivatedGeneration, RawEntry, StateStore } from '../state/types.js';
import { type Bytes, textOf, utf8 } from '../util/bytes.js';

/**
 * One entry of an export: `{"scope": …, "key": …, "value": …}`. Names that are not UTF-8 are `{"$bytes": "<base64>"}`; values are exact
 * (`exact-json.ts`).
 */
export interface ExportedEntry {
  scope: ExactJson;
  key: ExactJson;
  value: ExactJson;
}

/** Every entry of the state at one moment, in byte order. */
export async function* exportEntries(store: StateStore): AsyncGenerator<ExportedEntry> {
  const snapshot = await store.snapshot();
  try {
    for await (const page of snapshot.entries()) yield* page.map(exported);
  } finally {
    await snapshot.close();
  }
}

function exported({ key: raw, value }: RawEntry): ExportedEntry {
  const { scope, key } = decodeKey(raw)!;
  return { scope: nameOut(scope), key: nameOut(key), value: toExactJson(value) };
}

const nameOut = (name: Bytes): ExactJson => textOf(name) ?? { $bytes: Buffer.from(name).toString('base64') };

export interface ImportOptions {
  /** Keep the entries that the export does not have. */
  merge: boolean;
  /** For history and rollback points. */
  description: string;
}

/**
 * Makes the state what an export holds, all or nothing: whatever is wrong with any entry, the state is as it was. Throws `VALUE_INVALID`
 * naming the entry, counted from 1.
 */
export async function importEntries(
  store: StateStore,
  entries: AsyncIterable<unknown>,
  { merge, description }: ImportOptions,
): Promise<ActivatedGeneration & { entryCount: number }> {
  const generation = await store.newGeneration();
  try {
    let entryCount = 0;
    for await (const entry of entries) await generation.write([imported(entry, ++entryCount)]);
    const merging = new Merge(store, generation, { preserveUntracked: merge });
    const present = await store.snapshot();
    await merging.complete(present);
    return { ...(await merging.activate(present, description, true)), entryCount };
  } finally {
    await generation.discard();
  }
}

function imported(entry: unknown, number: number): RawEntry {
  try {
    const { scope, key, value } = entry as Partial<ExportedEntry>;
    return { key: encodeKey(nameIn(scope), nameIn(key)), value: fromExactJson(value ?? null) };
  } catch (error) {
    const { message, hint } = toLlmspellError(error);
    throw new LlmspellError('VALUE_INVALID', `Entry ${number} of the export: ${message}`, { hint, cause: error });
  }
}

function nameIn(name: ExactJson | undefined): Bytes {
  if (typeof name === 'string' && name !== '') return utf8(name);
  const bytes = (name as { $bytes?: unknown } | null | undefined)?.$bytes;
  if (typeof bytes === 'string' && bytes !== '') return Buffer.from(bytes, 'base64');
  throw new LlmspellError('KEY_INVALID', 'scope and key must be text that is not empty.');
}
