import { LlmspellError } from '../errors.js';
import { type Bytes, printable } from '../util/bytes.js';
import { encodeKey } from './key.js';
import { PREFIX_BYTES } from './layout.js';
import type { Change } from './types.js';

/** Of scope and key together, as the backend gets them. */
const MAX_KEY_BYTES = (128 << 10) - PREFIX_BYTES;

/** The raw key. Throws `KEY_INVALID` for what cannot be one. */
export function rawKey(scope: Bytes, key: Bytes): Bytes {
  assertNames(scope, key);
  return encodeKey(scope, key);
}

export function assertNames(scope: Bytes, key: Bytes): void {
  assertName('scope', scope);
  assertName('key', key);
  // Twice the scope is more than its escaped form and the separator.
  const rawBytes = 2 * scope.length + 2 + key.length;
  if (rawBytes <= MAX_KEY_BYTES) return;
  throw new LlmspellError(
    'KEY_INVALID',
    `Key and twice the scope have ${rawBytes} bytes; the limit is ${MAX_KEY_BYTES}.`,
    {
      hint: 'Use shorter names.',
    },
  );
}

export function assertName(what: 'scope' | 'key', name: Bytes): void {
  if (name.length === 0) throw new LlmspellError('KEY_INVALID', `The ${what} is empty.`);
}

/** Throws `KEY_INVALID` and `VALUE_TOO_LARGE`. */
export function assertStorable({ scope, key, value }: Change, maxValueBytes: number): void {
  assertNames(scope, key);
  if (value !== null && value.length > maxValueBytes)
    throw new LlmspellError(
      'VALUE_TOO_LARGE',
      `The value of "${printable(key)}" in scope "${printable(scope)}" has ${value.length} bytes; the limit is ${maxValueBytes}.`,
    );
}
