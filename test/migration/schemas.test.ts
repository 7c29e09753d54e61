import { expect, test } from 'vitest';
import { planMigration } from '../../src/migration/plan.js';
import { inspectSchemas, knownVersions, loadRegistry } from '../../src/migration/registry.js';
import { BACKENDS } from '../backup/harness.js';
import { migratorOf, put, schemaDirectory } from './support.js';

test('versions are read from the names, in the order of semantic versions', async () => {
  const directory = await schemaDirectory({ '1.10.0.toml': '', '1.9.0.toml': '', '0.1.0.toml': '', 'notes.txt': '' });
  expect(await knownVersions(directory)).toEqual(['0.1.0', '1.9.0', '1.10.0']);
  const { schemas } = await loadRegistry(directory);
  expect(schemas.map(({ version, from }) => [version, from])).toEqual([
    ['0.1.0', undefined],
    ['1.9.0', '0.1.0'],
    ['1.10.0', '1.9.0'],
  ]);
  expect(await knownVersions('/nowhere/at/all')).toEqual([]);
});

test.each(['1.0.toml', '2.0.0-beta.1.toml', '01.0.0.toml', 'users.toml'])('the name %s is refused', async (name) => {
  const directory = await schemaDirectory({ [name]: '' });
  await expect(knownVersions(directory)).rejects.toMatchObject({
    code: 'SCHEMA_INVALID',
    message: `schemas/${name} is not named by a version.`,
  });
});

test('every problem of every file is told with its place', async () => {
  const directory = await schemaDirectory({
    '1.0.0.toml':
      'description = 1\n[[entries]]\nscope = ""\nfields.a = { typ = "string", range = { min = 2, max = 1 } }\nfields."a..b" = {}\n',
    '2.0.0.toml': 'version = "3.0.0"\nfrom = "0.5.0"\n\n[[steps]]\nrename = { from = "a" }\n',
    '3.0.0.toml': 'from = "1.5.0"\n',
    '4.0.0.toml': 'a = [',
  });
  expect((await inspectSchemas(directory)).problems).toEqual([
    'schemas/1.0.0.toml:1:15: description: expected a string',
    'schemas/1.0.0.toml:3:9: entries.0.scope: expected a string that is not empty',
    'schemas/1.0.0.toml:4:14: entries.0.fields.a.typ: there is no such key; did you mean "type"?',
    'schemas/1.0.0.toml:4:38: entries.0.fields.a.range: min is greater than max',
    'schemas/1.0.0.toml:5:17: entries.0.fields.a..b: "a..b" is not a path (as settings.theme or items.*)',
    'schemas/2.0.0.toml:1:11: version: the name of the file says 2.0.0',
    'schemas/2.0.0.toml:4:3: steps.0: rename: "to" is missing',
    expect.stringMatching(/^schemas\/4\.0\.0\.toml:1:/),
    'schemas/3.0.0.toml: from: there is no schema 1.5.0',
  ]);
});

const VALIDATED = `
[[entries]]
scope = "s"
key = "?:*"
fields."." = { type = "table" }
fields.n = { type = "number", range = { min = 0 }, one_of = [1, 2.5] }
fields.s = { type = "string", length = { max = 3 }, pattern = "^[a-z]+$" }
fields."list" = { type = "array", length = { min = 1 } }
fields."list.*" = { not_null = true, type = "integer" }
fields."home.city" = { not_null = true }
fields."home" = { required = true }
`;

test('the entries are held against the schema of the version of the state', async () => {
  const store = await BACKENDS.memory();
  const { migrator } = await migratorOf(store, await schemaDirectory({ '1.0.0.toml': VALIDATED }));
  await put(store, 's', 'a:good', { n: 1, s: 'abc', list: [1, 2], home: { city: 'x' } });
  await put(store, 's', 'a:good too', { n: 2.5, home: { city: 'x' } });
  await put(store, 's', 'ab:other', 'whatever');
  expect(await migrator.validate()).toMatchObject({ isValid: true, entriesChecked: 3, version: '1.0.0' });
  await put(store, 's', 'b:1', { n: { $float: '1' }, s: 'ABCD', list: [1, null, 'x'], home: {} });
  await put(store, 's', 'b:2', 'text');
  await put(store, 's', 'b:3', { n: '1', list: {} });
  const { isValid, failures } = await migrator.validate();
  expect(isValid).toBe(false);
  expect(failures.map(({ key, field, reason }) => `${key} ${field}: ${reason}`)).toEqual([
    'b:1 n: 1.0 is not one of 1, 2.5',
    'b:1 s: its length 4 is not at most 3',
    'b:1 s: "ABCD" does not match ^[a-z]+$',
    'b:1 list.2: it must not be nil',
    'b:1 list.3: expected a value of type integer, got "x"',
    'b:1 home.city: it must not be nil',
    'b:2 .: expected a value of type table, got "text"',
    'b:2 home: it is required, and missing',
    'b:3 n: expected a value of type number, got "1"',
    'b:3 list: its length 0 is not at least 1',
    'b:3 home: it is required, and missing',
  ]);
});

test('compatible, breaking and impossible changes are told apart', async () => {
  const { schemas } = await loadRegistry(
    await schemaDirectory({
      '1.0.0.toml': '[[entries]]\nfields.a = { type = "string" }\nfields.b = { type = "integer" }\n',
      '1.1.0.toml':
        '[[entries]]\nfields.a = { type = "string" }\nfields.b = { type = "number" }\nfields.c = { default = 1 }\n',
      '2.0.0.toml':
        '[[entries]]\nfields.a = { type = "string", length = { max = 3 } }\nfields.d = { required = true }\n',
      '3.0.0.toml': '[[entries]]\nfields.a = { type = "integer" }\n',
      '4.0.0.toml': '[[steps]]\nremove = { field = "a" }\n',
    }),
  );
  const kind = (from: string, to: string) => planMigration(schemas, { from, to }).kind;
  expect(kind('1.0.0', '1.1.0')).toBe('compatible');
  const breaking = planMigration(schemas, { from: '1.1.0', to: '2.0.0' });
  expect(breaking.changes.map((change) => `${change.kind}: ${change.what}`)).toEqual([
    'breaking: */*: a is held to stricter rules',
    'breaking: */*: d becomes required, and has no default',
  ]);
  const impossible = planMigration(schemas, { from: '2.0.0', to: '3.0.0' });
  expect(impossible.changes.find((change) => change.kind === 'impossible')?.what).toBe(
    '*/*: a becomes integer (string before), and no step converts it',
  );
  expect(kind('2.0.0', '4.0.0')).toBe('impossible');
  expect(() => kind('4.0.0', '1.0.0')).toThrow(
    'No way leads from version 4.0.0 to 1.0.0: there is no way back from 4.0.0 to 3.0.0, because removing a has no `back` value.',
  );
  expect(() => kind('1.0.0', '9.0.0')).toThrow('There is no schema of version 9.0.0; there are 1.0.0, 1.1.0,');
});

test('an impossible migration is refused before anything is done', async () => {
  const store = await BACKENDS.memory();
  const directory = await schemaDirectory({
    '1.0.0.toml': '[[entries]]\nfields.a = { type = "string" }\n',
    '2.0.0.toml': '[[entries]]\nfields.a = { type = "integer" }\n',
  });
  const { migrator, backups } = await migratorOf(store, directory);
  await put(store, 's', 'k', {});
  await expect(migrator.migrate()).rejects.toMatchObject({ code: 'MIGRATION_IMPOSSIBLE' });
  expect(await backups.list()).toEqual([]);
});

test('without schemas the status says so, and nothing fails', async () => {
  const store = await BACKENDS.memory();
  const { migrator } = await migratorOf(store, '/nowhere/at/all');
  expect(await migrator.status()).toEqual({
    currentVersion: undefined,
    latestVersion: undefined,
    isAssumed: false,
    isLatest: false,
    migrationAvailable: false,
    totalSchemas: 0,
    targets: [],
    error: 'No current schema found',
  });
  expect(await migrator.versions()).toEqual([]);
  await expect(migrator.migrate('1.0.0')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
