import { resolve } from 'node:path';
import { nearest } from '../util/nearest.js';
import { compressionLevelProblem } from './compression-levels.js';
import type { ChoiceField, Field, Fields, NumberField } from './fields.js';
import { type Config, FOREIGN_KEYS, SCHEMA } from './schema.js';

export type KeyPath = readonly string[];
type Table = Readonly<Record<string, unknown>>;

export interface Problem {
  path: KeyPath;
  /** One clause: `99 is not between 1 and 22 (zstd)`. */
  message: string;
  /** The place to name: that of the key or that of its value. */
  at: 'key' | 'value';
}

export interface Surroundings {
  env: Readonly<Record<string, string | undefined>>;
  /** What relative paths in the file are relative to. */
  fileDirectory: string;
  /** What the paths that are defaults are relative to. */
  defaultDirectory: string;
}

export interface Checked {
  /** Where there are problems, with the defaults in place of the wrong values. */
  config: Config;
  problems: Problem[];
  /** Keys of ours that do not exist. */
  unknown: Problem[];
  /** Dotted paths of what the original system had and this one does not. */
  foreign: string[];
  notices: Problem[];
  /** By dotted path: the environment variables that went into a value. */
  variables: Map<string, string[]>;
}

/** Checks a parsed configuration file against the schema: every problem is collected, nothing is thrown. */
export function checkConfig(table: Table, surroundings: Surroundings): Checked {
  const checker = new Checker(surroundings);
  const config = checker.section(SCHEMA, table, []) as unknown as Config;
  checker.problems.push(...crossCheck(config));
  const { problems, unknown, foreign, notices, variables } = checker;
  return { config, problems, unknown, foreign, notices, variables };
}

class Checker {
  readonly problems: Problem[] = [];
  readonly unknown: Problem[] = [];
  readonly foreign: string[] = [];
  readonly notices: Problem[] = [];
  readonly variables = new Map<string, string[]>();
  readonly #surroundings: Surroundings;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  section(fields: Fields, table: Table, path: KeyPath): Record<string, unknown> {
    this.#strangers(fields, table, path);
    return Object.fromEntries(
      Object.entries(fields).map(([name, field]) => {
        const raw = Object.hasOwn(table, name) ? table[name] : undefined;
        const at = [...path, name];
        if (field.kind !== 'section')
          return [name, raw === undefined ? this.#byDefault(field) : this.#field(field, raw, at)];
        if (raw === undefined && field.isOptional) return [name, undefined];
        if (raw !== undefined && !isTable(raw))
          this.problems.push({ path: at, message: `expected a section, got ${kindOf(raw)}`, at: 'value' });
        return [name, this.section(field.fields, isTable(raw) ? raw : {}, at)];
      }),
    );
  }

  #strangers(fields: Fields, table: Table, path: KeyPath): void {
    for (const name of Object.keys(table).filter((key) => !Object.hasOwn(fields, key))) {
      const at = [...path, name];
      if (FOREIGN_KEYS.has(at.join('.'))) this.foreign.push(at.join('.'));
      else
        this.unknown.push({
          path: at,
          message: `there is no such key${didYouMean(nearest(name, Object.keys(fields)))}`,
          at: 'key',
        });
    }
  }

  #byDefault(field: Field): unknown {
    if (field.kind === 'list') return [...field.default];
    const isPath = field.kind === 'text' && field.isPath && field.default !== '';
    return isPath ? resolve(this.#surroundings.defaultDirectory, field.default) : field.default;
  }

  #field(field: Field, raw: unknown, path: KeyPath): unknown {
    try {
      return this.#value(field, raw, path);
    } catch (error) {
      if (!(error instanceof WrongValue)) throw error;
      this.problems.push({ path, message: error.message, at: 'value' });
      return this.#byDefault(field);
    }
  }

  #value(field: Field, raw: unknown, path: KeyPath): unknown {
    switch (field.kind) {
      case 'boolean':
        if (typeof raw !== 'boolean') throw expected('true or false', raw);
        return raw;
      case 'integer':
      case 'number':
        return checkNumber(field, raw);
      case 'choice':
        return this.#choice(field, this.#expand(raw, path), path);
      case 'text': {
        const value = this.#expand(raw, path);
        return field.isPath && value !== '' ? resolve(this.#surroundings.fileDirectory, value) : value;
      }
      case 'list': {
        if (!Array.isArray(raw)) throw expected(field.isPath ? 'an array of paths' : 'an array of names', raw);
        const items = raw.map((item) => this.#expand(item, path));
        return field.isPath ? items.map((item) => resolve(this.#surroundings.fileDirectory, item)) : items;
      }
    }
  }

  #choice(field: ChoiceField, value: string, path: KeyPath): string {
    const meant = Object.hasOwn(field.aliases, value) ? field.aliases[value] : undefined;
    if (meant !== undefined) {
      this.notices.push({ path, message: `"${value}" means "${meant}" here`, at: 'value' });
      return meant;
    }
    if (field.values.includes(value)) return value;
    const allowed = field.values.map((item) => `"${item}"`).join(', ');
    throw new WrongValue(`"${value}" is not one of ${allowed}${didYouMean(nearest(value, field.values))}`);
  }

  /** `${NAME}` in a string is the environment's value. */
  #expand(raw: unknown, path: KeyPath): string {
    if (typeof raw !== 'string') throw expected('a string', raw);
    return raw.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
      const value = this.#surroundings.env[name];
      if (value === undefined) throw new WrongValue(`the environment variable ${name} is not set`);
      const key = path.join('.');
      this.variables.set(key, [...(this.variables.get(key) ?? []), name]);
      return value;
    });
  }
}

class WrongValue extends Error {}

function checkNumber(field: NumberField, raw: unknown): number {
  const what = field.kind === 'integer' ? 'an integer' : 'a number';
  if (typeof raw !== 'number' || Number.isNaN(raw)) throw expected(what, raw);
  if (field.kind === 'integer' && !Number.isInteger(raw)) throw expected(what, raw);
  const outside = outsideRange(raw, field);
  if (outside) throw new WrongValue(outside);
  return raw;
}

function outsideRange(value: number, { min, max }: { min: number; max: number }): string | undefined {
  if (value >= min && value <= max) return undefined;
  return max === Number.MAX_SAFE_INTEGER ? `${value} is less than ${min}` : `${value} is not between ${min} and ${max}`;
}

/** What one key says of another. */
function crossCheck({ runtime }: Config): Problem[] {
  const backup = runtime.state_persistence.backup;
  if (!backup) return [];
  const at = (key: keyof typeof backup): KeyPath => ['runtime', 'state_persistence', 'backup', key];
  const problems: Problem[] = [];
  const wrongLevel = compressionLevelProblem({ type: backup.compression_type, level: backup.compression_level });
  if (wrongLevel) problems.push({ path: at('compression_level'), message: wrongLevel, at: 'value' });
  const keys = [backup.encryption_key_env, backup.encryption_key_file].filter((key) => key !== '').length;
  if (backup.encryption_enabled && keys !== 1)
    problems.push({
      path: at('encryption_enabled'),
      message: `it needs ${keys === 0 ? 'one' : 'only one'} of encryption_key_env and encryption_key_file`,
      at: 'value',
    });
  return problems;
}

const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

const expected = (what: string, got: unknown) => new WrongValue(`expected ${what}, got ${kindOf(got)}`);

const didYouMean = (name: string | undefined): string => (name === undefined ? '' : `; did you mean "${name}"?`);

function kindOf(value: unknown): string {
  if (typeof value === 'string') return `the string ${JSON.stringify(value)}`;
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Date) return 'a date';
  return isTable(value) ? 'a section' : String(value);
}
