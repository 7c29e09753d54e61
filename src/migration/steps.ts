import { convert, isOfType, NotConvertible } from './convert.js';
import { expand, NotATable, type Path, printPath, valueAt, withoutPruned, withValue } from './path.js';
import { everyPrefix, pathsOf } from './schema-steps.js';
import { describeTree, sameTree, type Tree } from './tree.js';
import type { Operation, Step } from './types.js';

/** A step that an entry does not go through: the field, and why, as one clause. */
export class StepFailure extends Error {
  readonly field: string;
  constructor(field: Path, reason: string) {
    super(reason);
    this.field = printPath(field);
  }
}

/** A step without Lua. */
export type PureOperation = Exclude<Operation, { kind: 'lua' }>;

/** What a step makes of a value; the value itself where it does not touch it, null where nothing is left. Throws {@link StepFailure}. */
export function applyStep(operation: PureOperation, tree: Tree): Tree {
  const [first = []] = pathsOf(operation);
  const prefix = everyPrefix(first);
  return expand(tree, prefix).reduce((made, at) => applyAt(operation, made, at), tree);
}

/** @param at what the path stands for up to its last `*` */
function applyAt(operation: PureOperation, tree: Tree, at: Path): Tree {
  const here = (path: Path): Path => (at.length === 0 ? path : [...at, ...path.slice(at.length)]);
  switch (operation.kind) {
    case 'copy':
      return copy(tree, here(operation.from), here(operation.to));
    case 'uncopy':
      return uncopy(tree, here(operation.from), here(operation.to));
    case 'rename':
      return rename(tree, here(operation.from), here(operation.to), operation.prune);
    case 'convert':
      return converted(tree, here(operation.field), operation);
    case 'default': {
      const field = here(operation.field);
      return valueAt(tree, field) === null ? put(tree, field, operation.value) : tree;
    }
    case 'undefault': {
      const field = here(operation.field);
      return sameTree(valueAt(tree, field), operation.value) ? withoutPruned(tree, field) : tree;
    }
    case 'remove': {
      const field = here(operation.field);
      return valueAt(tree, field) === null ? tree : withValue(tree, field, null);
    }
    case 'split':
      return split(tree, here(operation.field), operation.into.map(here), operation);
    case 'merge':
      return merge(tree, operation.fields.map(here), here(operation.into), operation);
  }
}

function put(tree: Tree, path: Path, value: Tree): Tree {
  try {
    return withValue(tree, path, value);
  } catch (error) {
    if (error instanceof NotATable) throw new StepFailure(path, 'what it lies in is not a table');
    throw error;
  }
}

/** Puts a value where none may be. */
function putNew(tree: Tree, path: Path, value: Tree): Tree {
  const there = valueAt(tree, path);
  if (there !== null) throw new StepFailure(path, `there is a value already: ${describeTree(there)}`);
  return put(tree, path, value);
}

const take = (tree: Tree, path: Path, prune: boolean): Tree =>
  prune ? withoutPruned(tree, path) : withValue(tree, path, null);

function copy(tree: Tree, from: Path, to: Path): Tree {
  const value = valueAt(tree, from);
  return value === null ? tree : putNew(tree, to, value);
}

function uncopy(tree: Tree, from: Path, to: Path): Tree {
  const value = valueAt(tree, to);
  return value === null || !sameTree(value, valueAt(tree, from)) ? tree : withoutPruned(tree, to);
}

function rename(tree: Tree, from: Path, to: Path, prune: boolean): Tree {
  const value = valueAt(tree, from);
  return value === null ? tree : take(putNew(tree, to, value), from, prune);
}

/** With `from`: exactly there and back. */
function converted(tree: Tree, field: Path, { from, to }: PureOperation & { kind: 'convert' }): Tree {
  const value = valueAt(tree, field);
  if (value === null) return tree;
  if (from !== undefined && !isOfType(value, from))
    throw new StepFailure(field, `expected a value of type ${from}, got ${describeTree(value)}`);
  const result = convertAt(field, value, to);
  if (from !== undefined && !sameTree(convertAt(field, result, from), value))
    throw new StepFailure(field, `${describeTree(value)} would not come back from ${describeTree(result)}`);
  return put(tree, field, result);
}

function convertAt(field: Path, value: Tree, to: Parameters<typeof convert>[1]): Tree {
  try {
    return convert(value, to);
  } catch (error) {
    if (error instanceof NotConvertible) throw new StepFailure(field, error.message);
    throw error;
  }
}

interface Joint {
  separator: string;
  prune: boolean;
}

/** The last part is what is left, separators and all. */
function split(tree: Tree, field: Path, into: readonly Path[], { separator, prune }: Joint): Tree {
  const value = valueAt(tree, field);
  if (value === null) return tree;
  const parts = typeof value === 'string' ? value.split(separator) : [];
  if (parts.length < into.length)
    throw new StepFailure(field, `${describeTree(value)} has not ${into.length} parts separated by "${separator}"`);
  const last = parts.splice(into.length - 1).join(separator);
  const without = take(tree, field, prune);
  return into.reduce((made, path, i) => putNew(made, path, [...parts, last][i]!), without);
}

/** All of the fields or none; only the last may contain the separator, so that splitting takes it apart again. */
function merge(tree: Tree, fields: readonly Path[], into: Path, { separator, prune }: Joint): Tree {
  const values = fields.map((field) => valueAt(tree, field));
  if (values.every((value) => value === null)) return tree;
  const parts = values.map((value, i) => mergeable(value, fields[i]!, i === fields.length - 1 ? undefined : separator));
  const without = fields.reduce((made, field) => take(made, field, prune), tree);
  return putNew(without, into, parts.join(separator));
}

function mergeable(value: Tree, field: Path, separator: string | undefined): string {
  if (value === null) throw new StepFailure(field, 'it is missing, and the others are there');
  if (typeof value !== 'string') throw new StepFailure(field, `expected text, got ${describeTree(value)}`);
  if (separator !== undefined && value.includes(separator))
    throw new StepFailure(field, `${describeTree(value)} contains the separator "${separator}"`);
  return value;
}

/** The step that undoes it, or why there is none. */
export function wayBack({ target, operation }: Step): Step | { none: string } {
  const undo = inverse(operation);
  return typeof undo === 'string' ? { none: undo } : { target, operation: undo };
}

function inverse(operation: Operation): Operation | string {
  switch (operation.kind) {
    case 'copy':
      return { ...operation, kind: 'uncopy' };
    case 'rename':
      return { kind: 'rename', from: operation.to, to: operation.from, prune: true };
    case 'convert':
      if (operation.from === undefined) return `converting ${printPath(operation.field)} has no \`from\` type`;
      return { ...operation, from: operation.to, to: operation.from } as Operation;
    case 'default':
      return { ...operation, kind: 'undefault' };
    case 'remove':
      if (operation.back === undefined) return `removing ${printPath(operation.field)} has no \`back\` value`;
      return { kind: 'default', field: operation.field, value: operation.back };
    case 'split':
      return {
        kind: 'merge',
        fields: operation.into,
        separator: operation.separator,
        into: operation.field,
        prune: true,
      };
    case 'merge':
      return {
        kind: 'split',
        field: operation.into,
        separator: operation.separator,
        into: operation.fields,
        prune: true,
      };
    case 'lua':
      if (!operation.hasDown) return `${operation.file} is not declared to have a down function`;
      return { ...operation, direction: 'down' };
    case 'uncopy':
    case 'undefault':
      return 'it is a way back itself';
  }
}

/** For people: `rename fullname to name`. */
export function describeOperation(operation: Operation): string {
  const [a = '', b = ''] = pathsOf(operation).map(printPath);
  switch (operation.kind) {
    case 'copy':
    case 'rename':
      return `${operation.kind} ${a} to ${b}`;
    case 'uncopy':
      return `remove ${b} where it is a copy of ${a}`;
    case 'convert':
      return `convert ${a} to ${operation.to}`;
    case 'default':
      return `set ${a} where it is missing`;
    case 'undefault':
      return `remove ${a} where it is ${describeTree(operation.value)}`;
    case 'remove':
      return `remove ${a}`;
    case 'split':
      return `split ${a} into ${operation.into.map(printPath).join(', ')}`;
    case 'merge':
      return `merge ${operation.fields.map(printPath).join(', ')} into ${printPath(operation.into)}`;
    case 'lua':
      return `${operation.file}: ${operation.direction}`;
  }
}
