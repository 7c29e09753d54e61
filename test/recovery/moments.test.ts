import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecoveryOrchestrator } from '../../src/recovery/orchestrator.js';
import { utf8 } from '../../src/util/bytes.js';
import { BACKENDS, type Bench, contentOf, newBench, set } from '../backup/harness.js';

type Content = Record<string, string>;

/** What was true after each change and at each time; only moments that a single step led to. */
interface Model {
  bySeq: Map<number, Content>;
  byTime: { timeMs: number; content: Content }[];
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('set' as const), key: fc.nat(4), scope: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: fc.nat(4), scope: fc.nat(1) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('backup' as const), incremental: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('backup' as const), incremental: fc.constant(false) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('restore' as const), which: fc.nat(20), scoped: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('back' as const), to: fc.nat(60) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('undo' as const), which: fc.nat(2) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Lives through the steps; the state after each is checked against what it must be. */
async function live(bench: Bench, steps: readonly Step[]): Promise<Model> {
  const recovery = new RecoveryOrchestrator(bench);
  const model: Model = { bySeq: new Map([[0, {}]]), byTime: [] };
  const backedUp: { id: string; content: Content }[] = [];
  for (const [index, given] of steps.entries()) {
    bench.clock.timeMs += 10;
    const expected = await apply(given, `value ${index}`);
    const content = await contentOf(bench.store);
    if (expected) expect(content, `after ${JSON.stringify(given)}`).toEqual(expected);
    const { seq, timeMs } = bench.store.position();
    model.bySeq.set(seq, content);
    model.byTime.push({ timeMs: Math.max(timeMs, bench.clock.timeMs), content });
  }
  return model;

  async function apply(given: Step, text: string): Promise<Content | undefined> {
    const known = [...model.bySeq.keys()];
    if (given.kind === 'set') await set(bench.store, `s${given.scope}/${given.key}`, text);
    else if (given.kind === 'delete') await set(bench.store, `s${given.scope}/${given.key}`, null);
    else if (given.kind === 'backup') {
      const { backup } = await bench.backups.create({ incremental: given.incremental });
      backedUp.push({ id: backup.id, content: await contentOf(bench.store) });
    } else if (given.kind === 'restore' && backedUp.length > 0) {
      const { id, content } = backedUp[given.which % backedUp.length]!;
      const before = await contentOf(bench.store);
      await recovery.restore({ backupId: id }, given.scoped ? { scopes: [utf8('s0')] } : {});
      const from = (scope: string, all: Content) => Object.entries(all).filter(([name]) => name.startsWith(scope));
      return given.scoped ? Object.fromEntries([...from('s0', content), ...from('s1', before)]) : content;
    } else if (given.kind === 'back') {
      const seq = known[given.to % known.length]!;
      await recovery.restore({ seq });
      return model.bySeq.get(seq)!;
    } else if (given.kind === 'undo') {
      const points = await recovery.rollbackPoints();
      const point = points[given.which % points.length];
      if (point) await recovery.restore({ backupId: point.id });
    }
    return undefined;
  }
}

const sampled = <T>(items: readonly T[], count: number): T[] =>
  items.filter((_, i) => i % Math.max(1, Math.floor(items.length / count)) === 0);

test('every moment of a history comes back, across backups, restores and rollbacks; from archives alone, or not at all', async () => {
  let [reached, asked] = [0, 0];
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const bench = await newBench({ compression: { type: 'none', level: 0 } });
      const model = await live(bench, steps);
      for (const [seq, content] of sampled([...model.bySeq], 8)) {
        const aside = await BACKENDS.memory();
        await new RecoveryOrchestrator(bench).restore({ seq }, {}, aside);
        expect(await contentOf(aside), `change ${seq}`).toEqual(content);
      }
      // The state is lost; its archives are all there is.
      for (const { timeMs, content } of sampled(model.byTime, 6)) {
        asked++;
        const store = await BACKENDS.memory({ clock: bench.clock });
        bench.clock.timeMs += 1;
        try {
          await new RecoveryOrchestrator({ ...bench, store }).restore({ timeMs });
        } catch (error) {
          expect(error).toMatchObject({ code: 'HISTORY_UNREACHABLE' });
          continue;
        }
        reached++;
        expect(await contentOf(store), `time ${timeMs}`).toEqual(content);
      }
    }),
    { numRuns: 12 },
  );
  expect(reached).toBeGreaterThan(0);
  expect(reached).toBeLessThanOrEqual(asked);
});
