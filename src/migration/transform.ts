import { decodeKey } from '../state/key.js';
import type { RawEntry } from '../state/types.js';
import { type Bytes, latin1Of } from '../util/bytes.js';
import type { LuaSteps } from './lua-steps.js';
import { applyStep, StepFailure } from './steps.js';
import type { Tally } from './tally.js';
import { decodeTree, encodeTree, sameTree, type Tree } from './tree.js';
import type { EntryRule, Operation, Step, Target } from './types.js';
import { checkEntry } from './validate.js';

/** What is to be done to entries, and what they must be before and after it. */
export interface Transformation {
  steps: readonly Step[];
  /** Of the version that the entries are taken for, where nobody has said that they are of it. */
  before: readonly EntryRule[];
  after: readonly EntryRule[];
  lua: LuaSteps | undefined;
  maxValueBytes: number;
}

/** An entry on its way through the steps. */
interface Item {
  raw: Bytes;
  scope: Bytes;
  key: Bytes;
  /** `latin1Of` the key. */
  name: string;
  stored: Bytes;
  original: Tree;
  tree: Tree;
  hasFailed: boolean;
}

type Targeted = { target: Target };
type LuaOperation = Extract<Operation, { kind: 'lua' }>;

/** Takes entries through the steps and checks them, page by page. What fails is in the tally, and comes out as it went in. */
export class Transformer {
  readonly #transformation: Transformation;
  readonly #tally: Tally;
  /** What is about the scope of the entry before: they come in order. */
  #scope = '';
  #ofScope: { steps: Step[]; before: EntryRule[]; after: EntryRule[] } | undefined;

  constructor(transformation: Transformation, tally: Tally) {
    this.#transformation = transformation;
    this.#tally = tally;
  }

  /** The entries as they are afterwards, in the same order; value null: removed. */
  async page(entries: readonly RawEntry[]): Promise<{ key: Bytes; value: Bytes | null }[]> {
    const made: { key: Bytes; value: Bytes | null }[] = [...entries];
    const items = new Map<number, Item>();
    const byStep = new Map<Step, Item[]>();
    for (const [i, entry] of entries.entries()) {
      this.#tally.checked++;
      const item = this.#begin(entry, byStep);
      if (item) items.set(i, item);
    }
    for (const step of this.#transformation.steps) await this.#step(step, byStep.get(step) ?? []);
    for (const [i, item] of items) made[i] = { key: item.raw, value: this.#end(item) };
    return made;
  }

  /** Undefined where nothing is about it: then it is not even decoded. */
  #begin({ key: raw, value }: RawEntry, byStep: Map<Step, Item[]>): Item | undefined {
    const { scope, key } = decodeKey(raw)!;
    const name = latin1Of(key);
    const { steps, before, after } = this.#about(scope);
    const mine = steps.filter(({ target }) => target.matchesKey(name));
    if (mine.length === 0 && !isAny(before, name) && !isAny(after, name)) return undefined;
    const tree = decodeTree(value);
    const item: Item = { raw, scope, key, name, stored: value, original: tree, tree, hasFailed: false };
    this.#check(item, before);
    for (const step of mine) {
      const sharing = byStep.get(step);
      if (sharing) sharing.push(item);
      else byStep.set(step, [item]);
    }
    return item;
  }

  #about(scope: Bytes) {
    const name = latin1Of(scope);
    if (this.#ofScope === undefined || this.#scope !== name) {
      const { steps, before, after } = this.#transformation;
      const here = <T extends Targeted>(all: readonly T[]) => all.filter(({ target }) => target.matchesScope(name));
      this.#scope = name;
      this.#ofScope = { steps: here(steps), before: here(before), after: here(after) };
    }
    return this.#ofScope;
  }

  #check(item: Item, rules: readonly EntryRule[]): void {
    if (item.hasFailed || item.tree === null) return;
    const mine = rules.filter(({ target }) => target.matchesKey(item.name));
    for (const { field, reason } of mine.flatMap((rule) => checkEntry(item.tree, rule)))
      this.#fail(item, field, reason);
  }

  #fail(item: Item, field: string, reason: string): void {
    item.hasFailed = true;
    this.#tally.fail({ scope: Buffer.from(item.scope), key: Buffer.from(item.key), field, reason });
  }

  async #step(step: Step, items: readonly Item[]): Promise<void> {
    const { operation } = step;
    const open = items.filter(({ hasFailed, tree }) => !hasFailed && tree !== null);
    if (open.length === 0) return;
    const before = open.map(({ tree }) => tree);
    if (operation.kind === 'lua') await this.#lua(operation, open);
    else for (const item of open) this.#attempt(item, () => applyStep(operation, item.tree));
    for (const [i, item] of open.entries()) if (item.tree !== before[i]) this.#tally.step(step);
  }

  #attempt(item: Item, work: () => Tree): void {
    try {
      item.tree = work();
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      this.#fail(item, error.field, error.message);
    }
  }

  async #lua({ file, direction }: LuaOperation, items: readonly Item[]): Promise<void> {
    const entries = items.map(({ scope, key, tree }) => ({ scope, key, value: tree }));
    const outcomes = await this.#transformation.lua!.apply(file, direction, entries);
    for (const [i, outcome] of outcomes.entries()) {
      const item = items[i]!;
      if ('error' in outcome) this.#fail(item, '.', outcome.error);
      else if (!sameTree(outcome.value, item.tree)) item.tree = outcome.value;
    }
  }

  #end(item: Item): Bytes | null {
    const { after } = this.#about(item.scope);
    this.#check(item, after);
    const { tree, original, stored, scope, key } = item;
    if (item.hasFailed || tree === original || sameTree(tree, original)) return stored;
    const value = tree === null ? null : encodeTree(tree);
    const { maxValueBytes } = this.#transformation;
    if (value !== null && value.length > maxValueBytes)
      this.#fail(item, '.', `it has ${value.length} bytes, and the limit is ${maxValueBytes}`);
    this.#tally.change(scope, key, stored, value);
    return value;
  }
}

const isAny = (rules: readonly Targeted[], name: string): boolean =>
  rules.some(({ target }) => target.matchesKey(name));
