import { describe, expect, test } from 'vitest';
import { readOperation } from '../../src/migration/schema-steps.js';
import { applyStep, type PureOperation, StepFailure, wayBack } from '../../src/migration/steps.js';
import { targetOf } from '../../src/migration/target.js';
import { decodeTree, encodeTree, type Tree } from '../../src/migration/tree.js';
import { type ExactJson, fromExactJson, toExactJson } from '../../src/state/exact-json.js';

const treeOf = (json: ExactJson): Tree => decodeTree(fromExactJson(json));
const jsonOf = (tree: Tree): ExactJson => toExactJson(encodeTree(tree));

/** Throws `field: reason`. */
function apply(step: Record<string, unknown>, value: ExactJson): ExactJson {
  try {
    return jsonOf(applyStep(readOperation(step) as PureOperation, treeOf(value)));
  } catch (error) {
    throw error instanceof StepFailure ? new Error(`${error.field}: ${error.message}`) : error;
  }
}

function applyBack(step: Record<string, unknown>, value: ExactJson): ExactJson {
  const back = wayBack({ target: targetOf('*', '*'), operation: readOperation(step) });
  if ('none' in back) throw new Error(back.none);
  return jsonOf(applyStep(back.operation as PureOperation, treeOf(value)));
}

describe('each step does its work, and its way back undoes it', () => {
  test.each<[string, Record<string, unknown>, ExactJson, ExactJson]>([
    ['copy', { copy: { from: 'a.b', to: 'c' } }, { a: { b: 1 } }, { a: { b: 1 }, c: 1 }],
    ['rename', { rename: { from: 'a', to: 'b.c' } }, { x: 1, a: 's' }, { x: 1, b: { c: 's' } }],
    ['rename of every element', { rename: { from: 'l.*.q', to: 'l.*.n' } }, { l: [{ q: 1 }, 7] }, { l: [{ n: 1 }, 7] }],
    ['convert', { convert: { field: 'a', from: 'string', to: 'integer' } }, { a: '-12' }, { a: -12 }],
    ['convert a whole value', { convert: { field: '.', from: 'integer', to: 'string' } }, 7, '7'],
    [
      'convert beyond 2^53',
      { convert: { field: 'a', from: 'integer', to: 'string' } },
      { a: { $int: '-9223372036854775808' } },
      { a: '-9223372036854775808' },
    ],
    ['convert a float', { convert: { field: 'a', from: 'float', to: 'string' } }, { a: { $float: '1' } }, { a: '1.0' }],
    ['default', { default: { field: 'a.b', value: 'x' } }, {}, { a: { b: 'x' } }],
    ['remove', { remove: { field: 'a', back: 'x' } }, { b: 1, a: 'x' }, { b: 1 }],
    [
      'split',
      { split: { field: 'n', separator: ' ', into: ['f', 'l'] } },
      { n: 'Ada King L' },
      { f: 'Ada', l: 'King L' },
    ],
    ['merge', { merge: { fields: ['f', 'l'], separator: '-', into: 'n' } }, { f: 'a', l: 'b-c' }, { n: 'a-b-c' }],
  ])('%s', (_, step, before, after) => {
    expect(apply(step, before)).toEqual(after);
    expect(applyBack(step, after)).toEqual(before);
  });
});

test('what is not there is left alone, and so is everything beside a step', () => {
  const odd = {
    $table: [
      [0.5, { $bytes: '/w==' }],
      [true, [1, null, 3]],
      ['z', { $float: '-0' }],
    ],
  };
  for (const step of [
    { copy: { from: 'a', to: 'b' } },
    { rename: { from: 'a', to: 'b' } },
    { convert: { field: 'a', to: 'integer' } },
    { remove: { field: 'a' } },
    { split: { field: 'a', separator: ' ', into: ['b', 'c'] } },
    { merge: { fields: ['a', 'b'], separator: ' ', into: 'c' } },
  ])
    expect(apply(step, odd)).toEqual(odd);
  expect(apply({ default: { field: 'a', value: 1n } }, odd)).toEqual({
    $table: [...odd.$table, ['a', 1]],
  });
});

test('a path names integer keys, elements of arrays, and text in quotes', () => {
  expect(apply({ remove: { field: 'l.2' } }, { l: [1, 2] })).toEqual({ l: [1] });
  expect(apply({ default: { field: 'l.3', value: 3n } }, { l: [1, 2] })).toEqual({ l: [1, 2, 3] });
  expect(apply({ remove: { field: 'l.1' } }, { l: [1, 2] })).toEqual({ l: [null, 2] });
  expect(apply({ rename: { from: '"a.b"', to: '"1"' } }, { 'a.b': 1 })).toEqual({ '1': 1 });
  expect(apply({ convert: { field: 'l.*', to: 'string' } }, { l: [1, { $float: '2.5' }, true] })).toMatchObject({
    l: ['1', '2.5', 'true'],
  });
  expect(apply({ remove: { field: '.' } }, 'x')).toBeNull();
});

describe('an entry that a step does not fit is told what stands in the way', () => {
  test.each<[Record<string, unknown>, ExactJson, string]>([
    [{ rename: { from: 'a', to: 'b' } }, { a: 1, b: 2 }, 'b: there is a value already: 2'],
    [{ copy: { from: 'a', to: 'b.c' } }, { a: 1, b: 2 }, 'b.c: what it lies in is not a table'],
    [{ convert: { field: 'a', to: 'integer' } }, { a: 'x' }, 'a: "x" does not convert to integer'],
    [{ convert: { field: 'a', to: 'integer' } }, { a: 1.5 }, 'a: 1.5 does not convert to integer'],
    [
      { convert: { field: 'a', to: 'integer' } },
      { a: '9223372036854775808' },
      'a: "9223372036854775808" does not convert to integer: it does not fit 64 bits',
    ],
    [
      { convert: { field: 'a', to: 'float' } },
      { a: { $int: '9007199254740993' } },
      'a: 9007199254740993 does not convert to float exactly',
    ],
    [
      { convert: { field: 'a', to: 'boolean' } },
      { a: 2 },
      'a: 2 does not convert to boolean (true, false, 1 and 0 do)',
    ],
    [{ convert: { field: 'a', to: 'string' } }, { a: {} }, 'a: a table of 0 does not convert to string'],
    [{ convert: { field: 'a', from: 'string', to: 'integer' } }, { a: '007' }, 'a: "007" would not come back from 7'],
    [{ convert: { field: 'a', from: 'string', to: 'integer' } }, { a: 7 }, 'a: expected a value of type string, got 7'],
    [
      { split: { field: 'n', separator: ' ', into: ['f', 'l'] } },
      { n: 'Ada' },
      'n: "Ada" has not 2 parts separated by " "',
    ],
    [
      { merge: { fields: ['f', 'l'], separator: ' ', into: 'n' } },
      { f: 'a' },
      'l: it is missing, and the others are there',
    ],
    [
      { merge: { fields: ['f', 'l'], separator: ' ', into: 'n' } },
      { f: 'a b', l: 'c' },
      'f: "a b" contains the separator " "',
    ],
  ])('%j on %j', (step, value, message) => {
    expect(() => apply(step, value)).toThrow(message);
  });
});

test('a way back that there is not says what is missing', () => {
  expect(() => applyBack({ convert: { field: 'a', to: 'integer' } }, {})).toThrow('converting a has no `from` type');
  expect(() => applyBack({ remove: { field: 'a' } }, {})).toThrow('removing a has no `back` value');
  expect(() => applyBack({ lua: '2.0.0.lua' }, {})).toThrow('2.0.0.lua is not declared to have a down function');
});

test.each<[Record<string, unknown>, string]>([
  [{}, 'expected exactly one of copy, rename, convert, default, remove, split, merge, lua in a step'],
  [{ remove: { field: 'a' }, copy: { from: 'a', to: 'b' } }, 'expected exactly one of'],
  [{ remove: { field: 'a', bakc: 1 } }, 'remove has no key "bakc"'],
  [{ rename: { from: 'a' } }, 'rename: "to" is missing'],
  [{ rename: { from: 'a', to: 'a' } }, 'a path is named twice'],
  [{ rename: { from: 'a', to: 'a.b' } }, 'a.b lies within another path of this step'],
  [{ rename: { from: 'a.*.b', to: 'c' } }, 'a.*.b and c do not go through the same elements'],
  [{ remove: { field: 'a..b' } }, '"a..b" is not a path (as settings.theme or items.*)'],
  [{ convert: { field: 'a', to: 'table' } }, 'expected one of "string", "integer", "float", "number", "boolean"'],
  [{ lua: '../x.lua' }, 'expected the name of a .lua file beside the schema'],
])('the step %j is refused', (step, message) => {
  expect(() => readOperation(step)).toThrow(message);
});
