import { Table, type Tree } from './tree.js';

/** A step into a table: a text key, an integer key, or every element. */
export type Segment = string | number | typeof EVERY;
export const EVERY = Symbol('*');
export type Path = readonly Segment[];

/**
 * `settings.theme`, `items.1.name`, `tags.*`, `labels."a.b"`; `.` is the value itself. Digits are an integer key, `*` is every element, and what is in
 * quotes is text whatever it looks like. Undefined where it is no path.
 */
export function parsePath(text: string): Path | undefined {
  if (text === '.') return [];
  const path: Segment[] = [];
  let rest = text;
  for (;;) {
    const part = /^(?:"((?:[^"\\]|\\.)+)"|([^."\\*]+)|(\*))(\.(?=.)|$)/.exec(rest);
    if (part === null) return undefined;
    path.push(segmentOf(part));
    rest = rest.slice(part[0].length);
    if (part[4] === '') return path;
  }
}

function segmentOf([, quoted, bare]: RegExpExecArray): Segment {
  if (quoted !== undefined) return quoted.replace(/\\(.)/g, '$1');
  if (bare === undefined) return EVERY;
  return /^[1-9]\d{0,8}$/.test(bare) ? Number(bare) : bare;
}

export function printPath(path: Path): string {
  if (path.length === 0) return '.';
  return path.map(printSegment).join('.');
}

function printSegment(segment: Segment): string {
  if (segment === EVERY) return '*';
  if (typeof segment === 'number') return String(segment);
  return /^[^."\\*\d][^."\\*]*$/.test(segment) ? segment : `"${segment.replace(/["\\]/g, '\\$&')}"`;
}

/** What lies under one key; null where there is nothing. */
export function child(tree: Tree, segment: Segment): Tree {
  if (Array.isArray(tree)) return typeof segment === 'number' ? (tree[segment - 1] ?? null) : null;
  if (!(tree instanceof Table)) return null;
  return tree.entries.find(([key]) => key === segment)?.[1] ?? null;
}

/** What lies at a path without `*`; null where there is nothing. */
export const valueAt = (tree: Tree, path: Path): Tree =>
  path.reduce((inner: Tree, segment) => (inner === null ? null : child(inner, segment)), tree);

/** The keys of a table that can be named in a path. */
function segmentsOf(tree: Tree): Segment[] {
  if (Array.isArray(tree)) return tree.map((_, i) => i + 1);
  if (!(tree instanceof Table)) return [];
  return tree.entries.map(([key]) => key).filter((key) => typeof key === 'string' || typeof key === 'number');
}

/** The paths without `*` that one with it stands for in this value; the last segment counts also where nothing is there. */
export function expand(tree: Tree, path: Path): Path[] {
  const at = path.indexOf(EVERY);
  if (at < 0) return [path];
  const before = path.slice(0, at);
  const inner = valueAt(tree, before);
  return segmentsOf(inner).flatMap((segment) => expand(tree, [...before, segment, ...path.slice(at + 1)]));
}

/** A path goes through something that is no table. */
export class NotATable extends Error {}

/**
 * The tree with another value at a path without `*`; null removes. Tables on the way are made where they are missing. What is not on the way is
 * shared with the old tree. Throws {@link NotATable}.
 */
export function withValue(tree: Tree, path: Path, value: Tree): Tree {
  const [segment, ...rest] = path;
  if (segment === undefined || segment === EVERY) return value;
  if (tree === null && value === null) return null;
  const table = tree ?? new Table();
  if (!Array.isArray(table) && !(table instanceof Table)) throw new NotATable();
  const inner = withValue(child(table, segment), rest, value);
  return Array.isArray(table) ? withItem(table, segment, inner) : withEntry(table, segment, inner);
}

/** Without the value, and without the tables on its way that it leaves empty. */
export function withoutPruned(tree: Tree, path: Path): Tree {
  const parent = path.slice(0, -1);
  const removed = withValue(tree, path, null);
  if (parent.length === 0 || !isEmpty(valueAt(removed, parent))) return removed;
  return withoutPruned(removed, parent);
}

const isEmpty = (tree: Tree): boolean =>
  Array.isArray(tree) ? tree.length === 0 : tree instanceof Table && tree.entries.length === 0;

function withEntry({ entries }: Table, segment: string | number, value: Tree): Table {
  const at = entries.findIndex(([key]) => key === segment);
  if (value === null) return new Table(entries.filter((_, i) => i !== at));
  if (at < 0) return new Table([...entries, [segment, value]]);
  return new Table(entries.map((entry, i): [Tree, Tree] => (i === at ? [entry[0], value] : entry)));
}

/** Within an array, or at its end; anything else makes it a table with integer keys. */
function withItem(items: readonly Tree[], segment: string | number, value: Tree): Tree {
  if (typeof segment === 'number' && segment <= items.length + 1) {
    const changed = [...items];
    changed[segment - 1] = value;
    while (changed.length > 0 && changed.at(-1) === null) changed.pop();
    return changed;
  }
  if (value === null) return [...items];
  const entries = items.map((item, i): [Tree, Tree] => [i + 1, item]).filter(([, item]) => item !== null);
  return new Table([...entries, [segment, value]]);
}
