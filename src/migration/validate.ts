import { isOfType } from './convert.js';
import { expand, printPath, valueAt } from './path.js';
import { describeTree, Float, sameTree, Table, type Tree, typeOf } from './tree.js';
import type { Bounds, EntryRule, FieldRule } from './types.js';

export interface FieldFailure {
  field: string;
  reason: string;
}

/** Every way in which a value is not what the rule says. */
export const checkEntry = (tree: Tree, { fields }: EntryRule): FieldFailure[] =>
  fields.flatMap((rule) => checkField(tree, rule));

function checkField(tree: Tree, rule: FieldRule): FieldFailure[] {
  const { path, required, notNull } = rule;
  const places = expand(tree, path);
  return places.flatMap((place) => {
    const value = valueAt(tree, place);
    const field = printPath(place);
    if (value !== null) return checkValue(value, rule).map((reason) => ({ field, reason }));
    const isMissed = required || (notNull && valueAt(tree, place.slice(0, -1)) !== null);
    return isMissed ? [{ field, reason: required ? 'it is required, and missing' : 'it must not be nil' }] : [];
  });
}

function checkValue(value: Tree, rule: FieldRule): string[] {
  const shown = describeTree(value);
  if (!isOfKind(value, rule.type)) return [`expected a value of type ${rule.type}, got ${shown}`];
  const problems: string[] = [];
  if (rule.range && !isInside(value instanceof Float ? value.value : value, rule.range))
    problems.push(`${shown} is not ${boundsText(rule.range)}`);
  const length = lengthOf(value);
  if (rule.length && !isInside(length, rule.length))
    problems.push(
      length === undefined ? `${shown} has no length` : `its length ${length} is not ${boundsText(rule.length)}`,
    );
  if (rule.pattern && !(typeof value === 'string' && rule.pattern.test(value)))
    problems.push(`${shown} does not match ${rule.pattern.source}`);
  if (rule.oneOf && !rule.oneOf.some((one) => sameTree(one, value)))
    problems.push(`${shown} is not one of ${rule.oneOf.map(describeTree).join(', ')}`);
  return problems;
}

function isOfKind(value: Tree, type: FieldRule['type']): boolean {
  if (type === 'any') return true;
  const actual = typeOf(value);
  if (type === 'table') return actual === 'table' || actual === 'array';
  // An empty table is an array as well.
  if (type === 'array') return actual === 'array' || (value instanceof Table && value.entries.length === 0);
  return isOfType(value, type);
}

const isInside = (value: unknown, { min, max }: Bounds): boolean =>
  (typeof value === 'number' || typeof value === 'bigint') &&
  (min === undefined || value >= min) &&
  (max === undefined || value <= max);

/** As `#` has it: a table whose keys are not 1…n has none that counts. */
function lengthOf(value: Tree): number | undefined {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (value instanceof Table) return 0;
  return value instanceof Uint8Array || Array.isArray(value) ? value.length : undefined;
}

function boundsText({ min, max }: Bounds): string {
  if (min === undefined) return `at most ${max}`;
  return max === undefined ? `at least ${min}` : `between ${min} and ${max}`;
}
