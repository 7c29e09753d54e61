import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import type { KeyPath, Problem } from '../config/check.js';
import { positionsOf, tellProblems, tellSyntax } from '../config/problems.js';
import { nearest } from '../util/nearest.js';
import { compareVersions, isVersion } from '../util/version.js';
import { readOperation } from './schema-steps.js';
import {
  bounds,
  flag,
  isTomlTable,
  list,
  luaValue,
  nonEmptyText,
  oneOf,
  path,
  pattern,
  type TomlTable,
  text,
  WrongValue,
} from './schema-values.js';
import { targetOf } from './target.js';
import { type EntryRule, FIELD_TYPES, type FieldRule, type Schema, type Step } from './types.js';

/** A schema, or what is wrong with its file: `FILE:LINE:COLUMN: key.path: what is wrong`, all of it. */
export type ReadSchema = { schema: Schema } | { problems: string[] };

/** @param before the next lower version that there is, which the steps begin at unless the file says otherwise */
export async function readSchema(directory: string, version: string, before: string | undefined): Promise<ReadSchema> {
  const file = join(directory, `${version}.toml`);
  const toml = (await readFile(file, 'utf8')).replace(/^\uFEFF/, '');
  const shown = join(basename(directory), basename(file));
  let table: TomlTable;
  try {
    table = parse(toml, { integersAsBigInt: true });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { problems: [tellSyntax(error, shown)] };
  }
  const reader = new Reader();
  const schema = reader.schema(table, version, before);
  if (reader.problems.length === 0) return { schema };
  return { problems: tellProblems(reader.problems, await positionsOf(toml), shown) };
}

class Reader {
  readonly problems: Problem[] = [];

  schema(table: TomlTable, version: string, before: string | undefined): Schema {
    this.#strangers(table, ['version', 'description', 'from', 'entries', 'steps'], []);
    this.#read(table, 'version', [], (value) => {
      if (value !== version) throw new WrongValue(`the name of the file says ${version}`);
    });
    return {
      version,
      description: this.#read(table, 'description', [], text) ?? '',
      from: this.#read(table, 'from', [], (value) => lowerVersion(value, version)) ?? before,
      entries: this.#tables(table, 'entries').map(([entry, at]) => this.#entry(entry, at)),
      steps: this.#tables(table, 'steps').flatMap(([step, at]) => this.#step(step, at) ?? []),
    };
  }

  #entry(table: TomlTable, at: KeyPath): EntryRule {
    this.#strangers(table, ['scope', 'key', 'fields'], at);
    const fields = this.#read(table, 'fields', at, (value) => {
      if (!isTomlTable(value)) throw new WrongValue('expected the fields by their paths');
      return value;
    });
    const rules = Object.entries(fields ?? {}).flatMap(([name, rule]) =>
      this.#field(name, rule, [...at, 'fields', name]),
    );
    return { target: this.#target(table, at), fields: rules };
  }

  #target(table: TomlTable, at: KeyPath) {
    const scope = this.#read(table, 'scope', at, nonEmptyText) ?? '*';
    const key = this.#read(table, 'key', at, nonEmptyText) ?? '*';
    return targetOf(scope, key);
  }

  #field(name: string, table: unknown, at: KeyPath): FieldRule[] {
    const parsed = this.#guard(at, () => path(name));
    if (!isTomlTable(table)) {
      this.problems.push({ path: at, message: 'expected a table such as { type = "string" }', at: 'value' });
      return [];
    }
    this.#strangers(table, Object.keys(FIELD_KEYS), at);
    const given = Object.entries(FIELD_KEYS).map(([key, read]) => [key, this.#read<unknown>(table, key, at, read)]);
    const rule = Object.fromEntries(given.filter(([, value]) => value !== undefined)) as Record<string, never>;
    const { one_of: oneOfValues, not_null: notNull = false, ...rest } = rule;
    const known = { type: 'any' as const, required: false, ...rest, notNull };
    return [{ ...known, path: parsed ?? [], ...(oneOfValues !== undefined && { oneOf: oneOfValues }) }];
  }

  #step(table: TomlTable, at: KeyPath): Step | undefined {
    const target = this.#target(table, at);
    const { scope: _, key: __, ...rest } = table;
    const operation = this.#guard(at, () => readOperation(rest));
    return operation && { target, operation };
  }

  #tables(table: TomlTable, name: string): [TomlTable, KeyPath][] {
    const found = this.#read(table, name, [], (value) => {
      if (!Array.isArray(value) || !value.every(isTomlTable)) throw new WrongValue(`expected [[${name}]]`);
      return value as TomlTable[];
    });
    return (found ?? []).map((one, i) => [one, [name, String(i)]]);
  }

  #read<T>(table: TomlTable, name: string, at: KeyPath, read: (value: unknown) => T): T | undefined {
    const value = Object.hasOwn(table, name) ? table[name] : undefined;
    return value === undefined ? undefined : this.#guard([...at, name], () => read(value));
  }

  #guard<T>(at: KeyPath, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof WrongValue)) throw error;
      this.problems.push({ path: at, message: error.message, at: 'value' });
      return undefined;
    }
  }

  #strangers(table: TomlTable, known: readonly string[], at: KeyPath): void {
    for (const name of Object.keys(table).filter((key) => !known.includes(key))) {
      const meant = nearest(name, known);
      const message = `there is no such key${meant === undefined ? '' : `; did you mean "${meant}"?`}`;
      this.problems.push({ path: [...at, name], message, at: 'key' });
    }
  }
}

const FIELD_KEYS: Record<string, (value: unknown) => unknown> = {
  type: oneOf(FIELD_TYPES),
  required: flag,
  not_null: flag,
  default: luaValue,
  range: bounds,
  length: bounds,
  pattern,
  one_of: list(luaValue, 1),
};

function lowerVersion(value: unknown, version: string): string {
  if (!isVersion(text(value))) throw new WrongValue('expected a version (MAJOR.MINOR.PATCH)');
  if (compareVersions(text(value), version) >= 0) throw new WrongValue(`${value} is not lower than ${version}`);
  return text(value);
}
