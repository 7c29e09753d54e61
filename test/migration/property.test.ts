import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planMigration, reachable } from '../../src/migration/plan.js';
import { applyStep, type PureOperation } from '../../src/migration/steps.js';
import { targetOf } from '../../src/migration/target.js';
import { decodeTree, encodeTree, Float, sameTree, Table, type Tree } from '../../src/migration/tree.js';
import type { MigrationPlan, Operation, Schema } from '../../src/migration/types.js';
import { compareVersions } from '../../src/util/version.js';

const scalar: fc.Arbitrary<Tree> = fc.oneof(
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
  fc.double().map((value) => new Float(value)),
  fc.string(),
  fc.uint8Array({ minLength: 1 }).map((bytes) => new Uint8Array([0xff, ...bytes])),
);
const value = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('tree'), { minLength: 1, maxLength: 3 }),
    fc
      .uniqueArray(fc.tuple(fc.oneof(fc.string(), fc.integer(), fc.boolean()), tie('tree')), {
        selector: ([key]) => `${typeof key}${key}`,
        minLength: 1,
        maxLength: 3,
      })
      .map((entries) => new Table(entries)),
  ),
})).tree;

test('a value is the same Lua value after decoding and encoding it, and stays apart from every other one', () => {
  fc.assert(
    fc.property(value, value, (a, b) => {
      const again = decodeTree(encodeTree(a));
      expect(sameTree(again, a)).toBe(true);
      expect(Buffer.compare(encodeTree(again), encodeTree(a))).toBe(0);
      if (Buffer.compare(encodeTree(a), encodeTree(b)) === 0) expect(sameTree(a, b)).toBe(true);
    }),
  );
});

const FIELDS = ['a', 'b', 'c', 'd', 'e', 'f'];
const NEW_FIELDS = ['x', 'y', 'z', 'deep.x', 'deep.y', 'deep.er.z'];
const path = (text: string) => text.split('.');
const word = fc.stringMatching(/^[a-z]{1,5}$/);

/** A reversible step that takes its fields from what is there and makes new ones; with what must be there for it. */
const step = fc.oneof(
  fc.record({ kind: fc.constant('rename' as const), prune: fc.constant(false) }),
  fc.record({ kind: fc.constant('copy' as const) }),
  fc.record({ kind: fc.constant('convert' as const) }),
  fc.record({ kind: fc.constant('default' as const), value }),
  fc.record({ kind: fc.constant('split' as const), prune: fc.constant(false) }),
  fc.record({ kind: fc.constant('merge' as const), prune: fc.constant(false) }),
);

interface Case {
  operations: Operation[];
  values: Record<string, Tree>;
}

/** Steps over fields that no other step of the case touches, and values that fit them. */
const reversible: fc.Arbitrary<Case> = fc
  .record({
    steps: fc.array(step, { minLength: 1, maxLength: 3 }),
    from: fc.shuffledSubarray(FIELDS, { minLength: 6 }),
    to: fc.shuffledSubarray(NEW_FIELDS, { minLength: 6 }),
    number: fc.maxSafeInteger(),
    words: fc.array(word, { minLength: 3, maxLength: 4 }),
    any: value,
    isThere: fc.boolean(),
  })
  .map(({ steps, from, to, number, words, any, isThere }) => {
    const values: Record<string, Tree> = {};
    const operationOf = (one: (typeof steps)[number], i: number): Operation => {
      const [a, b] = [from[2 * i]!, from[2 * i + 1]!];
      const [x, y] = [to[2 * i]!, to[2 * i + 1]!];
      const give = (field: string, tree: Tree) => {
        if (isThere) values[field] = tree;
      };
      switch (one.kind) {
        case 'rename':
        case 'copy':
          give(a, any);
          return { ...one, from: path(a), to: path(x) } as Operation;
        case 'convert':
          give(a, String(number));
          return { kind: 'convert', field: path(a), from: 'string', to: 'integer' };
        case 'default':
          return { ...one, field: path(x) };
        case 'split':
          give(a, words.join(' '));
          return { ...one, field: path(a), separator: ' ', into: [path(x), path(y)] };
        case 'merge':
          give(a, words[0]!);
          give(b, words.slice(1).join('-'));
          return { ...one, fields: [path(a), path(b)], separator: '-', into: path(x) };
      }
    };
    return { operations: steps.map(operationOf), values };
  });

/** Three versions, the steps shared out among them. */
function schemasOf(operations: readonly Operation[]): Schema[] {
  const target = targetOf('*', '*');
  const steps = operations.map((operation) => ({ target, operation }));
  const cut = Math.ceil(steps.length / 2);
  const base = { description: '', entries: [] };
  return [
    { ...base, version: '1.0.0', from: undefined, steps: [] },
    { ...base, version: '1.1.0', from: '1.0.0', steps: steps.slice(0, cut) },
    { ...base, version: '2.0.0', from: '1.1.0', steps: steps.slice(cut) },
  ];
}

const through = ({ legs }: MigrationPlan, tree: Tree): Tree =>
  legs.flatMap(({ steps }) => steps).reduce((made, { operation }) => applyStep(operation as PureOperation, made), tree);

test('up and then down is the identity, where every step is reversible', () => {
  fc.assert(
    fc.property(reversible, value, ({ operations, values }, beside) => {
      const entry = new Table([['beside', beside], ...Object.entries(values)]);
      const schemas = schemasOf(operations);
      const up = through(planMigration(schemas, { from: '1.0.0', to: '2.0.0' }), entry);
      const down = through(planMigration(schemas, { from: '2.0.0', to: '1.0.0' }), decodeTree(encodeTree(up)));
      expect(sameTree(down, entry)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

const version = fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2)).map((parts) => parts.join('.'));

test('a plan is a shortest way, one leg after the other, and there is one exactly where a version can be reached', () => {
  const graph = fc.uniqueArray(version, { minLength: 1, maxLength: 8 }).chain((versions) => {
    const sorted = versions.toSorted(compareVersions);
    const parents = sorted.map((_, i) => fc.record({ from: fc.nat({ max: Math.max(0, i - 1) }), back: fc.boolean() }));
    return fc.tuple(fc.constant(sorted), fc.tuple(...parents));
  });
  fc.assert(
    fc.property(graph, fc.nat(), fc.nat(), ([sorted, parents], a, b) => {
      const remove = { kind: 'remove' as const, field: ['gone'] };
      const schemas = sorted.map(
        (name, i): Schema => ({
          version: name,
          description: '',
          from: i === 0 ? undefined : sorted[parents[i]!.from],
          entries: [],
          steps: parents[i]!.back ? [] : [{ target: targetOf('*', '*'), operation: remove }],
        }),
      );
      const [from, to] = [sorted[a % sorted.length]!, sorted[b % sorted.length]!];
      if (from !== to && !reachable(schemas, from).includes(to)) {
        expect(() => planMigration(schemas, { from, to })).toThrow(/No way leads/);
        return;
      }
      const { legs } = planMigration(schemas, { from, to });
      expect([from, ...legs.map((leg) => leg.to)]).toEqual([...legs.map((leg) => leg.from), to]);
      expect(legs.length).toBe(distance(schemas, from, to));
    }),
  );
});

/** By relaxing every edge again and again. */
function distance(schemas: readonly Schema[], from: string, to: string): number {
  const far = new Map(schemas.map((schema) => [schema.version, Number.POSITIVE_INFINITY]));
  far.set(from, 0);
  for (let round = 0; round < schemas.length; round++)
    for (const schema of schemas) {
      if (schema.from === undefined) continue;
      const [low, high] = [far.get(schema.from)!, far.get(schema.version)!];
      far.set(schema.version, Math.min(high, low + 1));
      if (schema.steps.length === 0) far.set(schema.from, Math.min(low, far.get(schema.version)! + 1));
    }
  return far.get(to)!;
}
