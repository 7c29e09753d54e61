import { expect, test } from 'vitest';
import { nearest } from '../../src/util/nearest.js';

const NAMES = ['backup', 'state', 'config', 'run', 'exec'];

test.each([
  ['bakup', 'backup'],
  ['bakcup', 'backup'],
  ['CONFIG', 'config'],
  ['sate', 'state'],
  ['rnu', 'run'],
])('%s was meant to be %s', (given, meant) => {
  expect(nearest(given, NAMES)).toBe(meant);
});

test.each(['', 'x', 'restore', 'elephant'])('%j is near to none of them', (given) => {
  expect(nearest(given, NAMES)).toBeUndefined();
});
