import { LlmspellError } from '../errors.js';
import { compareVersions } from '../util/version.js';
import { changesBetween } from './differences.js';
import { wayBack } from './steps.js';
import type { ChangeKind, Leg, MigrationPlan, Schema, SchemaChange, Step } from './types.js';

/** The way up from the version before, with what the defaults of the fields add. */
const stepsUp = (schema: Schema): Step[] => [
  ...schema.steps,
  ...schema.entries.flatMap(({ target, fields }) =>
    fields.flatMap(({ path, default: value }) =>
      value === undefined ? [] : [{ target, operation: { kind: 'default' as const, field: path, value } }],
    ),
  ),
];

/** The leg between a schema and the version that it comes from, in one direction; or why there is none. */
function legOf(schema: Schema, direction: 'up' | 'down'): Leg | { none: string } {
  const before = schema.from!;
  if (direction === 'up') return { from: before, to: schema.version, direction, steps: stepsUp(schema) };
  const steps: Step[] = [];
  for (const step of stepsUp(schema).toReversed()) {
    const back = wayBack(step);
    if ('none' in back) return back;
    steps.push(back);
  }
  return { from: schema.version, to: before, direction, steps };
}

/**
 * The shortest way from one version to another over the schemas, up and down; pure. Throws `NOT_FOUND` where there is no such version, and
 * `MIGRATION_IMPOSSIBLE` where no way leads there, saying which step has no way back.
 */
export function planMigration(
  schemas: readonly Schema[],
  { from, to, isAssumed = false }: { from: string; to: string; isAssumed?: boolean },
): MigrationPlan {
  for (const version of [from, to]) assertKnown(schemas, version);
  const legs = shortest(schemas, from, to);
  if (legs === undefined)
    throw new LlmspellError(
      'MIGRATION_IMPOSSIBLE',
      `No way leads from version ${from} to ${to}${whyNot(schemas, from, to)}.`,
      {
        subject: to,
      },
    );
  const changes = legs.flatMap((leg) => changesBetween(schemas, leg));
  return { from, to, isAssumed, legs, kind: worst(changes), changes };
}

function assertKnown(schemas: readonly Schema[], version: string): void {
  if (schemas.some((schema) => schema.version === version)) return;
  const known = schemas.map((schema) => schema.version).join(', ');
  const there = known === '' ? 'there are none' : `there are ${known}`;
  throw new LlmspellError('NOT_FOUND', `There is no schema of version ${version}; ${there}.`, { subject: version });
}

/** Every version that can be reached, with the legs that lead there. Breadth first: the first way to a version is a shortest one. */
function waysFrom(schemas: readonly Schema[], from: string): Map<string, Leg[]> {
  const legs = schemas
    .filter((schema) => schema.from !== undefined)
    .flatMap((schema) => [legOf(schema, 'up'), legOf(schema, 'down')])
    .filter((leg): leg is Leg => !('none' in leg));
  const ways = new Map<string, Leg[]>([[from, []]]);
  for (const [version, way] of ways)
    for (const leg of legs) if (leg.from === version && !ways.has(leg.to)) ways.set(leg.to, [...way, leg]);
  return ways;
}

const shortest = (schemas: readonly Schema[], from: string, to: string): Leg[] | undefined =>
  waysFrom(schemas, from).get(to);

/** The versions that a state of one can be migrated to, lowest first, without itself. */
export const reachable = (schemas: readonly Schema[], from: string): string[] =>
  [...waysFrom(schemas, from).keys()].filter((version) => version !== from).sort(compareVersions);

/** The way back that is missing between the two. */
function whyNot(schemas: readonly Schema[], from: string, to: string): string {
  const between = schemas.filter(
    ({ version, from: before }) =>
      before !== undefined && compareVersions(version, from) <= 0 && compareVersions(version, to) > 0,
  );
  for (const schema of between.toReversed()) {
    const leg = legOf(schema, 'down');
    if ('none' in leg) return `: there is no way back from ${schema.version} to ${schema.from}, because ${leg.none}`;
  }
  return '';
}

const ORDER: readonly ChangeKind[] = ['compatible', 'breaking', 'impossible'];

const worst = (changes: readonly SchemaChange[]): ChangeKind =>
  ORDER[Math.max(0, ...changes.map(({ kind }) => ORDER.indexOf(kind)))]!;
