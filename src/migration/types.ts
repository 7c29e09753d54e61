import type { Convertible } from './convert.js';
import type { Path } from './path.js';
import type { Matcher } from './pattern.js';
import type { Tree } from './tree.js';

/** Which entries something is about: by globs over scope and key. */
export interface Target {
  scope: string;
  key: string;
  matchesScope: Matcher;
  matchesKey: Matcher;
}

export const FIELD_TYPES = ['string', 'integer', 'float', 'number', 'boolean', 'table', 'array', 'any'] as const;
export type FieldType = (typeof FIELD_TYPES)[number];

/** Both bounds count as inside; absent: open. */
export interface Bounds {
  min?: number | bigint;
  max?: number | bigint;
}

/** What a schema says of one field. */
export interface FieldRule {
  path: Path;
  type: FieldType;
  /** It must be there. */
  required: boolean;
  /** It must be there where the table that it belongs to is. */
  notNull: boolean;
  /** What an entry that lacks it gets when it comes to this version. */
  default?: Tree;
  range?: Bounds;
  /** Of strings in bytes and of arrays in elements, as `#` counts. */
  length?: Bounds;
  pattern?: RegExp;
  oneOf?: readonly Tree[];
}

export interface EntryRule {
  target: Target;
  fields: readonly FieldRule[];
}

/**
 * What a step does to a value. `prune` in the way back: tables that it leaves empty go too. `uncopy` and `undefault` are ways back only: they remove a
 * field where it is still what was put there.
 */
export type Operation =
  | { kind: 'copy'; from: Path; to: Path }
  | { kind: 'uncopy'; from: Path; to: Path }
  | { kind: 'rename'; from: Path; to: Path; prune: boolean }
  | { kind: 'convert'; field: Path; to: Convertible; from?: Convertible }
  | { kind: 'default'; field: Path; value: Tree }
  | { kind: 'undefault'; field: Path; value: Tree }
  | { kind: 'remove'; field: Path; back?: Tree }
  | { kind: 'split'; field: Path; separator: string; into: readonly Path[]; prune: boolean }
  | { kind: 'merge'; fields: readonly Path[]; separator: string; into: Path; prune: boolean }
  | { kind: 'lua'; file: string; hasDown: boolean; direction: 'up' | 'down' };

export interface Step {
  target: Target;
  operation: Operation;
}

/** One file of the schema directory. */
export interface Schema {
  version: string;
  description: string;
  /** The version that its steps begin at; undefined in the lowest one. */
  from: string | undefined;
  entries: readonly EntryRule[];
  steps: readonly Step[];
}

/** An entry that cannot be migrated, or is not what its schema says. */
export interface EntryFailure {
  scope: Uint8Array;
  key: Uint8Array;
  /** `.`: the value itself. */
  field: string;
  reason: string;
}

/** How much a change asks of scripts: nothing; to be changed with it; it cannot be made. */
export type ChangeKind = 'compatible' | 'breaking' | 'impossible';

/** One difference between two versions. */
export interface SchemaChange {
  kind: ChangeKind;
  from: string;
  to: string;
  /** One clause. */
  what: string;
}

/** From one version to the next one on the way. */
export interface Leg {
  from: string;
  to: string;
  direction: 'up' | 'down';
  steps: readonly Step[];
}

export interface MigrationPlan {
  from: string;
  to: string;
  /** The state had no version: it was taken for one of the lowest. */
  isAssumed: boolean;
  legs: readonly Leg[];
  kind: ChangeKind;
  changes: readonly SchemaChange[];
}
