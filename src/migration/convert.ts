import { describeTree, Float, floatText, type Tree, typeOf } from './tree.js';

export const CONVERTIBLE = ['string', 'integer', 'float', 'number', 'boolean'] as const;
export type Convertible = (typeof CONVERTIBLE)[number];

/** What a value cannot be made of, as one clause. */
export class NotConvertible extends Error {}

const fail = (tree: Tree, to: string, why = ''): NotConvertible =>
  new NotConvertible(`${describeTree(tree)} does not convert to ${to}${why}`);

const INTEGER = /^[+-]?\d+$/;
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** The value as one of another type, exactly or not at all. Throws {@link NotConvertible}. */
export function convert(tree: Tree, to: Convertible): Tree {
  const type = typeOf(tree);
  if (type === to || (to === 'number' && (type === 'integer' || type === 'float'))) return tree;
  switch (to) {
    case 'string':
      return toText(tree);
    case 'boolean':
      return toBoolean(tree);
    case 'integer':
      return toInteger(tree);
    case 'float':
      return toFloat(tree);
    case 'number':
      return typeof tree === 'string' && INTEGER.test(tree.trim()) ? toInteger(tree) : toNumber(tree);
  }
}

/** Whether a value is of a type that `convert` names. */
export const isOfType = (tree: Tree, type: Convertible): boolean =>
  typeOf(tree) === type || (type === 'number' && ['integer', 'float'].includes(typeOf(tree)));

function toText(tree: Tree): string {
  if (tree instanceof Float) return floatText(tree.value);
  if (typeof tree === 'boolean' || typeof tree === 'number' || typeof tree === 'bigint') return String(tree);
  throw fail(tree, 'string');
}

/** `true` and `false`, 1 and 0. */
function toBoolean(tree: Tree): boolean {
  const value = tree instanceof Float ? tree.value : tree;
  if (value === 'true' || value === 1) return true;
  if (value === 'false' || value === 0) return false;
  throw fail(tree, 'boolean', ' (true, false, 1 and 0 do)');
}

function toInteger(tree: Tree): number | bigint {
  if (typeof tree === 'boolean') return tree ? 1 : 0;
  if (tree instanceof Float) {
    if (!Number.isInteger(tree.value) || Object.is(tree.value, -0)) throw fail(tree, 'integer');
    return narrow(BigInt(tree.value), tree);
  }
  if (typeof tree === 'string' && INTEGER.test(tree.trim()))
    return narrow(BigInt(tree.trim().replace(/^\+/, '')), tree);
  throw fail(tree, 'integer');
}

function narrow(value: bigint, from: Tree): number | bigint {
  if (BigInt.asIntN(64, value) !== value) throw fail(from, 'integer', ': it does not fit 64 bits');
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Integers and floats stay what they are. */
function toNumber(tree: Tree): Tree {
  return typeof tree === 'boolean' ? toInteger(tree) : toFloat(tree);
}

function toFloat(tree: Tree): Float {
  if (typeof tree === 'boolean') return new Float(tree ? 1 : 0);
  if (typeof tree === 'number') return new Float(tree);
  if (typeof tree === 'bigint') {
    if (BigInt(Number(tree)) !== tree) throw fail(tree, 'float', ' exactly');
    return new Float(Number(tree));
  }
  const value = typeof tree === 'string' ? parseFloatText(tree.trim()) : undefined;
  if (value === undefined) throw fail(tree, 'float');
  return new Float(value);
}

function parseFloatText(text: string): number | undefined {
  const special = { inf: Number.POSITIVE_INFINITY, '-inf': Number.NEGATIVE_INFINITY, nan: Number.NaN }[text];
  if (special !== undefined) return special;
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}
