import { printPath } from './path.js';
import { pathsOf } from './schema-steps.js';
import { describeOperation } from './steps.js';
import type { ChangeKind, EntryRule, FieldRule, Leg, Operation, Schema, SchemaChange, Step } from './types.js';

/** Steps after which scripts of the version before find everything where it was. */
const HARMLESS: ReadonlySet<Operation['kind']> = new Set(['copy', 'default', 'uncopy', 'undefault']);

/** What one leg asks of scripts: what its steps do, and what the schemas at its ends say otherwise of the same entries. */
export function changesBetween(schemas: readonly Schema[], leg: Leg): SchemaChange[] {
  const { from, to, steps } = leg;
  const bySteps = steps.map(({ target, operation }): SchemaChange => {
    const where = `${target.scope}/${target.key}`;
    const kind = HARMLESS.has(operation.kind) ? 'compatible' : 'breaking';
    return { kind, from, to, what: `${where}: ${describeOperation(operation)}` };
  });
  const [before, after] = [from, to].map((version) => schemas.find((schema) => schema.version === version)!);
  const byRules = rulesOfBoth(before!, after!).flatMap(([old, rule]) => fieldChanges(old, rule, steps));
  return [...bySteps, ...byRules.map(({ kind, what }) => ({ kind, from, to, what }))];
}

const rulesOfBoth = (before: Schema, after: Schema): [EntryRule | undefined, EntryRule][] =>
  after.entries.map((rule) => [before.entries.find((old) => nameOf(old) === nameOf(rule)), rule]);

const nameOf = ({ target }: EntryRule): string => `${target.scope}/${target.key}`;

interface FieldChange {
  kind: ChangeKind;
  what: string;
}

function fieldChanges(old: EntryRule | undefined, rule: EntryRule, steps: readonly Step[]): FieldChange[] {
  return rule.fields.flatMap((field) => {
    const path = printPath(field.path);
    const isMade = steps.some(({ operation }) => touches(operation, path));
    const was = old?.fields.find((one) => printPath(one.path) === path);
    return fieldChange(was, field, isMade).map(({ kind, what }) => ({
      kind,
      what: `${nameOf(rule)}: ${path} ${what}`,
    }));
  });
}

/** A Lua step may do anything. */
const touches = (operation: Operation, path: string): boolean =>
  operation.kind === 'lua' ||
  pathsOf(operation)
    .map(printPath)
    .some((one) => one === '.' || one === path || path.startsWith(`${one}.`) || one.startsWith(`${path}.`));

function fieldChange(was: FieldRule | undefined, field: FieldRule, isMade: boolean): FieldChange[] {
  const changes: FieldChange[] = [];
  if (was && !isWider(was.type, field.type)) {
    const what = `becomes ${field.type} (${was.type} before)`;
    const isPossible = isMade || isWider(field.type, was.type);
    changes.push(
      isPossible ? { kind: 'breaking', what } : { kind: 'impossible', what: `${what}, and no step converts it` },
    );
  }
  if (field.required && !was?.required && !isMade)
    changes.push({ kind: 'breaking', what: 'becomes required, and has no default' });
  if (was && isNarrower(was, field)) changes.push({ kind: 'breaking', what: 'is held to stricter rules' });
  return changes;
}

/** Whether each value of one type is one of the other, too. */
const isWider = (was: FieldRule['type'], type: FieldRule['type']): boolean =>
  was === type ||
  type === 'any' ||
  (type === 'number' && (was === 'integer' || was === 'float')) ||
  (type === 'table' && was === 'array');

function isNarrower(was: FieldRule, field: FieldRule): boolean {
  const rules = ({ range, length, pattern, oneOf, notNull }: FieldRule) => [
    range,
    length,
    pattern?.source,
    oneOf,
    notNull || undefined,
  ];
  const [before, after] = [rules(was), rules(field)];
  return after.some((rule, i) => rule !== undefined && text(rule) !== text(before[i]));
}

const text = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner)) ?? '';
