import { LlmspellError, toLlmspellError } from '../errors.js';
import { type Bytes, textOf, utf8 } from '../util/bytes.js';
import { type ExactJson, fromExactJson, toExactJson } from './exact-json.js';
import { decodeKey, encodeKey } from './key.js';
import type { RawEntry } from './types.js';

/**
 * One entry of an export: `{"scope": …, "key": …, "value": …}`. Names that are not UTF-8 are `{"$bytes": "<base64>"}`; values are exact
 * (`exact-json.ts`).
 */
export interface ExportedEntry {
  scope: ExactJson;
  key: ExactJson;
  value: ExactJson;
}

export function exportedEntry({ key: raw, value }: RawEntry): ExportedEntry {
  const { scope, key } = decodeKey(raw)!;
  return { scope: exportedName(scope), key: exportedName(key), value: toExactJson(value) };
}

export const exportedName = (name: Bytes): ExactJson =>
  textOf(name) ?? { $bytes: Buffer.from(name).toString('base64') };

/** The reverse of {@link exportedEntry}. Throws `VALUE_INVALID` naming the entry by its number, counted from 1. */
export function importedEntry(entry: unknown, number: number): RawEntry {
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
