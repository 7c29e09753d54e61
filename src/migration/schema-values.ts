import { type Path, parsePath } from './path.js';
import { Float, Table, type Tree } from './tree.js';
import type { Bounds } from './types.js';

/** What a key of a schema file cannot be, as one clause. */
export class WrongValue extends Error {}

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

/** A TOML table (integers are bigints) read key by key; what is left over at the end is a mistake. */
export type TomlTable = Readonly<Record<string, unknown>>;

export const isTomlTable = (value: unknown): value is TomlTable =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

export function text(value: unknown): string {
  if (typeof value !== 'string') throw new WrongValue('expected a string');
  return value;
}

export function nonEmptyText(value: unknown): string {
  if (text(value) === '') throw new WrongValue('expected a string that is not empty');
  return text(value);
}

export function flag(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new WrongValue('expected true or false');
  return value;
}

export function oneOf<T extends string>(names: readonly T[]): (value: unknown) => T {
  return (value) => {
    const found = names.find((name) => name === value);
    if (found === undefined) throw new WrongValue(`expected one of ${quoted(names)}`);
    return found;
  };
}

export function path(value: unknown): Path {
  const parsed = parsePath(text(value));
  if (parsed === undefined)
    throw new WrongValue(`${JSON.stringify(value)} is not a path (as settings.theme or items.*)`);
  return parsed;
}

export function list<T>(read: (item: unknown) => T, least: number): (value: unknown) => T[] {
  return (value) => {
    if (!Array.isArray(value) || value.length < least) throw new WrongValue(`expected an array of at least ${least}`);
    return value.map(read);
  };
}

/** `{ min = 1, max = 10 }`, either may be left out. */
export function bounds(value: unknown): Bounds {
  if (!isTomlTable(value)) throw new WrongValue('expected { min = …, max = … }');
  const stranger = Object.keys(value).find((key) => key !== 'min' && key !== 'max');
  if (stranger !== undefined) throw new WrongValue(`"${stranger}" is neither min nor max`);
  const { min, max } = value;
  if (![min, max].every((bound) => bound === undefined || typeof bound === 'bigint' || typeof bound === 'number'))
    throw new WrongValue('min and max are numbers');
  if (min !== undefined && max !== undefined && (min as number) > (max as number))
    throw new WrongValue('min is greater than max');
  return value as Bounds;
}

export function pattern(value: unknown): RegExp {
  try {
    return new RegExp(text(value), 'u');
  } catch (error) {
    if (error instanceof WrongValue) throw error;
    throw new WrongValue(`not a regular expression (${(error as Error).message})`);
  }
}

/** Any TOML value as the Lua value it stands for. Dates have no place in Lua. */
export function luaValue(value: unknown): Tree {
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (typeof value === 'number') return new Float(value);
  if (Array.isArray(value)) return value.map(luaValue);
  if (isTomlTable(value)) return new Table(Object.entries(value).map(([key, inner]) => [key, luaValue(inner)]));
  throw new WrongValue('a date is not a Lua value: write it as a string or a number');
}
