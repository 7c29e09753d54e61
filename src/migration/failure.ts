import { LlmspellError } from '../errors.js';
import { printable } from '../util/bytes.js';
import type { Tally } from './tally.js';
import type { EntryFailure } from './types.js';

/** Entries that cannot be migrated: the first of them, and how many there are. */
export class MigrationFailure extends LlmspellError {
  readonly failures: readonly EntryFailure[];
  readonly failureCount: number;

  constructor(to: string, { failures, failureCount }: Pick<Tally, 'failures' | 'failureCount'>) {
    const problems = `${failureCount} ${failureCount === 1 ? 'problem stands' : 'problems stand'}`;
    super('MIGRATION_FAILED', `${problems} in the way of version ${to}; the first: ${failureText(failures[0]!)}.`, {
      subject: to,
    });
    this.failures = failures;
    this.failureCount = failureCount;
  }
}

/** `user:1 profile: age: "x" does not convert to integer`. */
export const failureText = ({ scope, key, field, reason }: EntryFailure): string =>
  `${printable(scope)} ${printable(key)}: ${field === '.' ? '' : `${field}: `}${reason}`;
