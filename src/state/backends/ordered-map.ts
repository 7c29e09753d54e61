/** Most keys in a node; a full one is halved. */
const NODE_SIZE = 64;

interface Node<V> {
  /** The map that may change this node in place; every other one copies it first. */
  owner: object;
  /** Of a leaf: its keys. Of an inner node: for each child a lower bound of its keys (the first child's is not consulted). */
  keys: string[];
  values?: V[];
  children?: Node<V>[];
}

export interface StringRange {
  gte?: string;
  gt?: string;
  lt?: string;
  lte?: string;
  reverse?: boolean;
}

/**
 * An ordered map from strings to values: a B+ tree whose nodes are copied on write, so that `snapshot` costs O(1) and
 * get, set and delete O(log n). Nodes that become empty are removed; thin ones are not merged.
 */
export class OrderedMap<V> {
  #root: Node<V>;
  #owner = {};

  constructor(root?: Node<V>) {
    this.#root = root ?? { owner: this.#owner, keys: [], values: [] };
  }

  /** A map with the same content that later changes of this one do not reach. Both copy what they change from here on. */
  snapshot(): OrderedMap<V> {
    this.#owner = {};
    return new OrderedMap(this.#root);
  }

  get(key: string): V | undefined {
    let node = this.#root;
    while (node.children !== undefined) node = node.children[childIndex(node.keys, key)]!;
    const at = lowerBound(node.keys, key);
    return node.keys[at] === key ? node.values![at] : undefined;
  }

  set(key: string, value: V): void {
    const root = this.#own(this.#root);
    const right = this.#insert(root, key, value);
    this.#root =
      right === undefined
        ? root
        : { owner: this.#owner, keys: [root.keys[0]!, right.keys[0]!], children: [root, right] };
  }

  delete(key: string): void {
    if (this.get(key) === undefined) return;
    const root = this.#own(this.#root);
    this.#remove(root, key);
    this.#root = root.children?.length === 0 ? { owner: this.#owner, keys: [], values: [] } : root;
  }

  /** Calls `visit` for each entry of the range, in order, until it returns false. */
  scan(range: StringRange, visit: (key: string, value: V) => boolean): void {
    if (range.reverse) scanBackward(this.#root, range, visit);
    else scanForward(this.#root, range, visit);
  }

  #own(node: Node<V>): Node<V> {
    if (node.owner === this.#owner) return node;
    const copy: Node<V> = { owner: this.#owner, keys: node.keys.slice() };
    if (node.values !== undefined) copy.values = node.values.slice();
    if (node.children !== undefined) copy.children = node.children.slice();
    return copy;
  }

  /** Inserts below an owned node; where that made it too large, returns its new right neighbour. */
  #insert(node: Node<V>, key: string, value: V): Node<V> | undefined {
    if (node.children === undefined) {
      const at = lowerBound(node.keys, key);
      const present = node.keys[at] === key;
      node.keys.splice(at, present ? 1 : 0, key);
      node.values!.splice(at, present ? 1 : 0, value);
    } else {
      const at = childIndex(node.keys, key);
      const child = this.#own(node.children[at]!);
      node.children[at] = child;
      const right = this.#insert(child, key, value);
      if (right !== undefined) {
        node.keys.splice(at + 1, 0, right.keys[0]!);
        node.children.splice(at + 1, 0, right);
      }
    }
    return node.keys.length > NODE_SIZE ? this.#split(node, key) : undefined;
  }

  #split(node: Node<V>, key: string): Node<V> {
    // Keys that come in order leave full nodes behind instead of half-empty ones.
    const at = key === node.keys.at(-1) ? NODE_SIZE : NODE_SIZE / 2;
    const right: Node<V> = { owner: this.#owner, keys: node.keys.splice(at) };
    if (node.values !== undefined) right.values = node.values.splice(at);
    if (node.children !== undefined) right.children = node.children.splice(at);
    return right;
  }

  #remove(node: Node<V>, key: string): void {
    if (node.children === undefined) {
      const at = lowerBound(node.keys, key);
      node.keys.splice(at, 1);
      node.values!.splice(at, 1);
      return;
    }
    const at = childIndex(node.keys, key);
    const child = this.#own(node.children[at]!);
    node.children[at] = child;
    this.#remove(child, key);
    if (child.keys.length > 0) return;
    node.keys.splice(at, 1);
    node.children.splice(at, 1);
  }
}

/** The index of the first key that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The child that `key` belongs to: the last one whose bound is not above it, else the first. */
function childIndex(bounds: readonly string[], key: string): number {
  const at = lowerBound(bounds, key);
  return bounds[at] === key ? at : Math.max(0, at - 1);
}

const below = (key: string, { gte, gt }: StringRange): boolean =>
  (gte !== undefined && key < gte) || (gt !== undefined && key <= gt);

const above = (key: string, { lt, lte }: StringRange): boolean =>
  (lt !== undefined && key >= lt) || (lte !== undefined && key > lte);

type Visit<V> = (key: string, value: V) => boolean;

/** Returns whether to go on. */
function scanForward<V>(node: Node<V>, range: StringRange, visit: Visit<V>): boolean {
  const from = range.gte ?? range.gt ?? '';
  if (node.children !== undefined) {
    for (let at = childIndex(node.keys, from); at < node.children.length; at++)
      if (!scanForward(node.children[at]!, range, visit)) return false;
    return true;
  }
  for (let at = lowerBound(node.keys, from); at < node.keys.length; at++) {
    const key = node.keys[at]!;
    if (above(key, range)) return false;
    if (!below(key, range) && !visit(key, node.values![at]!)) return false;
  }
  return true;
}

function scanBackward<V>(node: Node<V>, range: StringRange, visit: Visit<V>): boolean {
  const from = range.lte ?? range.lt;
  if (node.children !== undefined) {
    const start = from === undefined ? node.children.length - 1 : childIndex(node.keys, from);
    for (let at = start; at >= 0; at--) if (!scanBackward(node.children[at]!, range, visit)) return false;
    return true;
  }
  const start = from === undefined ? node.keys.length - 1 : Math.min(lowerBound(node.keys, from), node.keys.length - 1);
  for (let at = start; at >= 0; at--) {
    const key = node.keys[at]!;
    if (below(key, range)) return false;
    if (!above(key, range) && !visit(key, node.values![at]!)) return false;
  }
  return true;
}
