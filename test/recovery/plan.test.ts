import { describe, expect, test } from 'vitest';
import { type LiveHistory, planMoment } from '../../src/recovery/plan.js';
import { child, record } from '../backup/records.js';

// One sequence number a millisecond: f holds 100, i1 the changes to 200, i2 those to 300; g is full again at 500.
const f = record('f', 100);
const i1 = child('i1', 200, f);
const i2 = child('i2', 300, i1);
const g = record('g', 500);
const all = [f, i1, i2, g];
const live = (historyStart: number): LiveHistory => ({ storeId: 'store', historyStart, seq: 1000 });

const chainOf = (plan: ReturnType<typeof planMoment>) => ('chain' in plan ? plan.chain.map(({ id }) => id) : plan);

describe('by change', () => {
  test('the moment of a backup needs its chain', () => {
    expect(chainOf(planMoment({ seq: 200 }, all, live(0)))).toEqual(['f', 'i1']);
    expect(planMoment({ seq: 500 }, all, live(0))).toMatchObject({ target: { seq: 500, timeMs: 500 } });
  });

  test('a moment between two backups needs the archive that begins before it and ends after it', () => {
    const plan = planMoment({ seq: 250 }, all, live(900));
    expect(chainOf(plan)).toEqual(['f', 'i1', 'i2']);
    expect(plan).toMatchObject({ target: { seq: 250 } });
  });

  test('where no archive reaches, the history does', () => {
    const plan = planMoment({ seq: 400 }, all, live(350));
    expect(plan).toMatchObject({ chain: [], history: { fromSeq: 350, toSeq: 400 }, target: { seq: 400 } });
  });

  test('where neither reaches, it says so', () => {
    expect(planMoment({ seq: 400 }, all, live(450))).toEqual({ unreachable: expect.stringContaining('change 400') });
    expect(planMoment({ seq: 2000 }, all, live(0))).toHaveProperty('unreachable');
    expect(planMoment({ seq: 400 }, all, undefined)).toHaveProperty('unreachable');
  });

  test('a chain with a fault is not used', () => {
    const broken = [{ ...f, damage: 'flipped' }, i1, i2, g];
    expect(planMoment({ seq: 250 }, broken, live(0))).toMatchObject({ chain: [], history: { toSeq: 250 } });
    expect(planMoment({ seq: 250 }, broken, live(900))).toHaveProperty('unreachable');
    expect(planMoment({ seq: 250 }, [i1, i2, g], live(900))).toHaveProperty('unreachable');
  });

  test('after a restore, the changes given up before it are not taken from the archive made after it', () => {
    const afterwards = record('r', 700, { parent: { id: 'f', sha256: f.sha256, fromSeq: 600, fromTimeMs: 600 } });
    expect(planMoment({ seq: 550 }, [f, afterwards], live(900))).toHaveProperty('unreachable');
    expect(chainOf(planMoment({ seq: 650 }, [f, afterwards], live(900)))).toEqual(['f', 'r']);
    expect(planMoment({ timeMs: 550 }, [f, afterwards], undefined)).toHaveProperty('unreachable');
  });
});

describe('by time, where the history does not reach it', () => {
  test('within an archive, the change is found by reading it', () => {
    const plan = planMoment({ timeMs: 250 }, all, undefined);
    expect(chainOf(plan)).toEqual(['f', 'i1', 'i2']);
    expect(plan).toMatchObject({ target: { timeMs: 250 } });
    expect(plan).not.toHaveProperty('target.seq');
  });

  test('between the last change of a backup and its making, nothing happened', () => {
    const late = record('late', 900, { position: { storeId: 'store', seq: 5, timeMs: 800 } });
    expect(planMoment({ timeMs: 850 }, [late], undefined)).toMatchObject({ target: { seq: 5, timeMs: 850 } });
    expect(planMoment({ timeMs: 950 }, [late], undefined)).toHaveProperty('unreachable');
  });

  test('a moment between two backups that no archive tells of cannot be had, and the nearest ones are named', () => {
    const { unreachable } = planMoment({ timeMs: 400 }, all, live(900)) as { unreachable: string };
    expect(unreachable).toContain(new Date(400).toISOString());
    expect(unreachable).toContain('before it is i2');
    expect(unreachable).toContain('after it is g');
  });

  test('a time before the first change of this state is one of the state that it takes the place of, or refused', () => {
    expect(chainOf(planMoment({ timeMs: 250, seq: 0 }, all, { ...live(0), storeId: 'new' }))).toEqual([
      'f',
      'i1',
      'i2',
    ]);
    expect(planMoment({ timeMs: 250, seq: 0 }, [], live(0))).toEqual({
      unreachable: expect.stringContaining('this state began later'),
    });
    expect(planMoment({ seq: 0 }, [], live(0))).toMatchObject({ chain: [], history: { toSeq: 0 } });
  });

  test('archives of this state come before those of another', () => {
    const foreign = record('x', 260, { position: { storeId: 'other', seq: 9, timeMs: 240 } });
    expect(chainOf(planMoment({ timeMs: 250 }, [...all, foreign], live(900)))).toEqual(['f', 'i1', 'i2']);
    expect(chainOf(planMoment({ timeMs: 250 }, [foreign], live(900)))).toEqual(['x']);
  });
});
