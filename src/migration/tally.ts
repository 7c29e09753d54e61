import { toExactJson } from '../state/exact-json.js';
import type { Bytes } from '../util/bytes.js';
import { printable } from '../util/bytes.js';
import { describeOperation } from './steps.js';
import type { EntryFailure, MigrationPlan, Step } from './types.js';

/** What is told in full; beyond it things are counted. */
const MAX_FAILURES = 100;
const MAX_DIFFERENCES = 10;
const MAX_SCOPES = 1000;

/** One entry before and after, as exact JSON; `after` null: it is removed. */
export interface EntryDifference {
  scope: string;
  key: string;
  before: unknown;
  after: unknown;
}

export interface StepCount {
  from: string;
  to: string;
  scope: string;
  key: string;
  what: string;
  entries: number;
}

/** What a migration does to the entries, counted as it goes. */
export class Tally {
  checked = 0;
  migrated = 0;
  failureCount = 0;
  readonly failures: EntryFailure[] = [];
  readonly differences: EntryDifference[] = [];
  readonly steps: StepCount[];
  readonly #scopes = new Map<string, number>();
  #otherScopes = 0;
  readonly #byStep: Map<Step, StepCount>;

  constructor({ legs }: Pick<MigrationPlan, 'legs'>) {
    const counts = legs.flatMap(({ from, to, steps }) =>
      steps.map((step): [Step, StepCount] => {
        const { target, operation } = step;
        return [
          step,
          { from, to, scope: target.scope, key: target.key, what: describeOperation(operation), entries: 0 },
        ];
      }),
    );
    this.#byStep = new Map(counts);
    this.steps = counts.map(([, count]) => count);
  }

  /** Changed entries by scope, the first thousand scopes; `others` is what is in the rest. */
  get scopes(): { byScope: { scope: string; entries: number }[]; others: number } {
    return { byScope: [...this.#scopes].map(([scope, entries]) => ({ scope, entries })), others: this.#otherScopes };
  }

  step(step: Step): void {
    this.#byStep.get(step)!.entries++;
  }

  fail(failure: EntryFailure): void {
    this.failureCount++;
    if (this.failures.length < MAX_FAILURES) this.failures.push(failure);
  }

  change(scope: Bytes, key: Bytes, before: Bytes, after: Bytes | null): void {
    this.migrated++;
    const name = printable(scope);
    const known = this.#scopes.get(name);
    if (known === undefined && this.#scopes.size >= MAX_SCOPES) this.#otherScopes++;
    else this.#scopes.set(name, (known ?? 0) + 1);
    if (this.differences.length >= MAX_DIFFERENCES) return;
    const shown = after && toExactJson(after);
    this.differences.push({ scope: name, key: printable(key), before: toExactJson(before), after: shown });
  }
}
