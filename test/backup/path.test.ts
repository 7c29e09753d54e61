import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isOnPath, pathBegin, pathBetween, type TurnBack } from '../../src/backup/path.js';

test('without going back, all changes are on the way', () => {
  expect(pathBetween(3, 9, [])).toEqual([{ from: 3, to: 9 }]);
});

test('what was given up by going back is not on the way, unless the way ends before that', () => {
  const turns = [{ seq: 6, toSeq: 2 }];
  expect(pathBetween(0, 8, turns)).toEqual([
    { from: 0, to: 2 },
    { from: 6, to: 8 },
  ]);
  expect(pathBetween(0, 5, turns)).toEqual([{ from: 0, to: 5 }]);
});

test('going back over an earlier going back', () => {
  const turns = [
    { seq: 6, toSeq: 2 },
    { seq: 10, toSeq: 4 },
  ];
  expect(pathBetween(0, 12, turns)).toEqual([
    { from: 0, to: 4 },
    { from: 10, to: 12 },
  ]);
});

test('going back to before the beginning shows in where the way begins', () => {
  const turns = [
    { seq: 6, toSeq: 2 },
    { seq: 8, toSeq: 5 },
  ];
  expect(pathBegin(pathBetween(3, 7, turns))).toBe(2);
  expect(pathBegin(pathBetween(3, 9, turns))).toBe(3);
});

test('the changes on the way make the same state as living through it', () => {
  const steps = fc.array(fc.oneof(fc.record({ key: fc.nat(3) }), fc.record({ back: fc.nat(100) })), { maxLength: 40 });
  fc.assert(
    fc.property(steps, fc.nat(100), (history, at) => {
      const states: Record<number, number>[] = [{}];
      const turns: TurnBack[] = [];
      history.forEach((step, i) => {
        const seq = i + 1;
        if ('key' in step) states.push({ ...states[i], [step.key]: seq });
        else {
          turns.push({ seq, toSeq: step.back % seq });
          states.push(states[step.back % seq]!);
        }
      });
      const to = at % states.length;
      const path = pathBetween(0, to, turns);
      const replayed: Record<number, number> = {};
      history.forEach((step, i) => {
        if ('key' in step && isOnPath(i + 1, path)) replayed[step.key] = i + 1;
      });
      expect(replayed).toEqual(states[to]);
    }),
  );
});
