import { CONVERTIBLE } from './convert.js';
import { EVERY, type Path, printPath } from './path.js';
import {
  flag,
  isTomlTable,
  list,
  luaValue,
  nonEmptyText,
  oneOf,
  path,
  type TomlTable,
  WrongValue,
} from './schema-values.js';
import type { Operation } from './types.js';

type Readers = Readonly<Record<string, (value: unknown) => unknown>>;

/** The keys of each step, those that may be left out with a `?`. */
const STEPS: Readonly<Record<string, Readers>> = {
  copy: { from: path, to: path },
  rename: { from: path, to: path },
  convert: { field: path, to: oneOf(CONVERTIBLE), 'from?': oneOf(CONVERTIBLE) },
  default: { field: path, value: luaValue },
  remove: { field: path, 'back?': luaValue },
  split: { field: path, separator: nonEmptyText, into: list(path, 2) },
  merge: { fields: list(path, 2), separator: nonEmptyText, into: path },
};

/** What one `[[steps]]` does. Throws {@link WrongValue}. */
export function readOperation(table: TomlTable): Operation {
  const names = [...Object.keys(STEPS), 'lua'];
  const given = names.filter((name) => Object.hasOwn(table, name));
  const [kind] = given;
  if (kind === undefined || given.length > 1)
    throw new WrongValue(`expected exactly one of ${names.join(', ')} in a step`);
  const stranger = Object.keys(table).find((name) => name !== kind && !(kind === 'lua' && name === 'down'));
  if (stranger !== undefined) throw new WrongValue(`a step has no key "${stranger}"`);
  return kind === 'lua' ? luaStep(table) : checked(fields(kind, table[kind], STEPS[kind]!));
}

function luaStep({ lua, down }: TomlTable): Operation {
  const file = nonEmptyText(lua);
  if (!/^[^/\\]+\.lua$/.test(file)) throw new WrongValue('expected the name of a .lua file beside the schema');
  return { kind: 'lua', file, hasDown: down === undefined ? false : flag(down), direction: 'up' };
}

function fields(kind: string, value: unknown, readers: Readers): Operation {
  if (!isTomlTable(value)) throw new WrongValue(`${kind}: expected { ${Object.keys(readers).join(', ')} }`);
  const known = Object.entries(readers).map(([name, read]) => ({
    name: name.replace('?', ''),
    read,
    may: name.endsWith('?'),
  }));
  const stranger = Object.keys(value).find((key) => !known.some(({ name }) => name === key));
  if (stranger !== undefined) throw new WrongValue(`${kind} has no key "${stranger}"`);
  const missing = known.find(({ name, may }) => !may && value[name] === undefined);
  if (missing) throw new WrongValue(`${kind}: "${missing.name}" is missing`);
  const there = known.filter(({ name }) => value[name] !== undefined);
  return {
    kind,
    prune: false,
    ...Object.fromEntries(there.map(({ name, read }) => [name, read(value[name])])),
  } as Operation;
}

/** Paths of one step that go through every element go through the same ones. */
function checked(operation: Operation): Operation {
  const paths = pathsOf(operation);
  const [first = []] = paths;
  const shared = everyPrefix(first);
  const other = paths.find((one) => printPath(everyPrefix(one)) !== printPath(shared));
  if (other !== undefined)
    throw new WrongValue(`${printPath(first)} and ${printPath(other)} do not go through the same elements`);
  const texts = paths.map(printPath);
  if (new Set(texts).size < texts.length) throw new WrongValue('a path is named twice');
  const within = paths.find((one) => paths.some((two) => one !== two && isWithin(one, two)));
  if (within !== undefined) throw new WrongValue(`${printPath(within)} lies within another path of this step`);
  return operation;
}

const isWithin = (inner: Path, outer: Path): boolean =>
  inner.length > outer.length && outer.every((segment, i) => segment === inner[i]);

/** Up to and with the last `*`. */
export const everyPrefix = (path: Path): Path => path.slice(0, path.lastIndexOf(EVERY) + 1);

/** The paths that a step names. */
export function pathsOf(operation: Operation): readonly Path[] {
  switch (operation.kind) {
    case 'copy':
    case 'uncopy':
    case 'rename':
      return [operation.from, operation.to];
    case 'split':
      return [operation.field, ...operation.into];
    case 'merge':
      return [...operation.fields, operation.into];
    case 'lua':
      return [];
    case 'convert':
    case 'default':
    case 'undefault':
    case 'remove':
      return [operation.field];
  }
}
