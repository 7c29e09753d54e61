import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Progress } from '../../src/backup/types.js';
import { LuaMigration } from '../../src/host/lua-migration.js';
import { MigrationFailure } from '../../src/migration/failure.js';
import type { OpenLuaSteps } from '../../src/migration/lua-steps.js';
import { RecoveryOrchestrator } from '../../src/recovery/orchestrator.js';
import { createLevelBackend } from '../../src/state/backends/level.js';
import { KEPT_BYTES } from '../../src/state/backends/level-batches.js';
import { checkState } from '../../src/state/check.js';
import { openStore } from '../../src/state/store.js';
import { BACKENDS, newDirectory } from '../backup/harness.js';
import { MACHINE } from '../host/script-runs.js';
import { contentOf, migratorOf, put, schemaDirectory } from './support.js';

const SCHEMAS = {
  '1.0.0.toml': `
[[entries]]
scope = "user:*"
key = "profile"
fields.name = { type = "string", required = true }
fields.age = { type = "string" }
`,
  '1.1.0.toml': `
[[entries]]
scope = "user:*"
key = "profile"
fields.name = { type = "string", required = true }
fields.age = { type = "integer", range = { min = 0, max = 150 } }
fields."settings.theme" = { type = "string", default = "dark", one_of = ["dark", "light"] }

[[steps]]
scope = "user:*"
key = "profile"
convert = { field = "age", from = "string", to = "integer" }
`,
  '2.0.0.toml': `
[[entries]]
scope = "user:*"
key = "profile"
fields."name.first" = { type = "string", required = true }

[[steps]]
scope = "user:*"
key = "profile"
lua = "names.lua"
down = true
`,
  'names.lua': `
local M = {}
function M.up(value, key, scope)
  if type(value.name) ~= 'string' then error('no name in ' .. scope .. ' ' .. key, 0) end
  value.name = { first = value.name:match('^%S+'), last = value.name:match(' (.*)$') }
  return value
end
function M.down(value)
  value.name = value.name.first .. (value.name.last and ' ' .. value.name.last or '')
  return value
end
return M
`,
};

const OLD = { 'user:1 profile': { name: 'Ada L', age: '36', x: { $float: '1' } }, 'user:2 profile': { name: 'Bob' } };
const NEW = {
  'user:1 profile': { name: { first: 'Ada', last: 'L' }, age: 36, x: { $float: '1' }, settings: { theme: 'dark' } },
  'user:2 profile': { name: { first: 'Bob' }, settings: { theme: 'dark' } },
};
const OTHER = { 'cache 1': [1, null, 3], 'user:1 other': 'text' };

describe.each(['memory', 'level', 'level with table files'] as const)('with the %s backend', (backend) => {
  async function bench(more = {}) {
    const store = await BACKENDS[backend]();
    for (const [name, value] of Object.entries({ ...OLD, ...OTHER })) {
      const [scope, key] = name.split(' ');
      await put(store, scope!, key!, value);
    }
    const directory = await schemaDirectory(SCHEMAS);
    return { store, directory, ...(await migratorOf(store, directory, more)) };
  }

  test('all entries go up over every version, with a backup before, and down again', async () => {
    const { store, migrator, backups } = await bench();
    const up = await migrator.migrate();
    expect(up).toMatchObject({ status: 'completed', fromVersion: '1.0.0', toVersion: '2.0.0', entriesMigrated: 2 });
    expect(up.warnings).toEqual(['The state had no version: it was taken for one of 1.0.0.']);
    expect(await contentOf(store)).toEqual({ ...NEW, ...OTHER });
    expect(await backups.find(up.backupId!)).toMatchObject({ entryCount: 4, tags: ['migration'] });
    expect(await migrator.migrate('2.0.0')).toMatchObject({ status: 'already_current', entriesMigrated: 0 });
    const down = await migrator.migrate('1.0.0');
    expect(down).toMatchObject({ status: 'completed', entriesMigrated: 2, warnings: [] });
    expect(await contentOf(store)).toEqual({ ...OLD, ...OTHER });
    expect(await store.schemaVersion()).toBe('1.0.0');
    await store.close();
  });

  test('it is in the history of each entry, in the next incremental backup, and undone by its rollback point', async () => {
    const { store, migrator, backups } = await bench();
    const beforeSeq = store.position().seq;
    const { rollbackId, backupId } = await migrator.migrate();
    const history = await store.history(Buffer.from('user:1'), Buffer.from('profile'));
    expect(history.map(({ seq }) => seq)).toEqual([beforeSeq + 1, 1]);
    const { backup } = await backups.create({ incremental: true });
    expect(backup).toMatchObject({ parentId: backupId, recordCount: 2, schemaVersion: '2.0.0' });
    expect(backup.schemaMarks).toEqual([{ seq: beforeSeq + 2, version: '2.0.0' }]);
    expect(await contentOf(await store.at(beforeSeq))).toEqual({ ...OLD, ...OTHER });
    const recovery = new RecoveryOrchestrator({ store, backups });
    await recovery.restore({ backupId: rollbackId! });
    expect([await store.schemaVersion(), await contentOf(store)]).toEqual([undefined, { ...OLD, ...OTHER }]);
    const again = await recovery.restore({ backupId: backup.id });
    expect([await store.schemaVersion(), await contentOf(store)]).toEqual(['2.0.0', { ...NEW, ...OTHER }]);
    expect(again.warnings).toEqual(['The restored state is of schema version 2.0.0 (the present one was of none).']);
    await store.close();
  });

  test('restoring an older backup brings its version, and says so', async () => {
    const { store, migrator, backups } = await bench();
    await migrator.migrate('1.1.0');
    const { backup } = await backups.create();
    await migrator.migrate('2.0.0');
    const recovery = new RecoveryOrchestrator({ store, backups });
    const part = await recovery.restore({ backupId: backup.id }, { dryRun: true, scopes: [Buffer.from('user:1')] });
    expect(part.warnings[0]).toMatch(/^What is restored is of schema version 1.1.0, and the state of 2.0.0/);
    const restored = await recovery.restore({ backupId: backup.id });
    expect(restored).toMatchObject({ schemaVersion: '1.1.0' });
    expect(restored.warnings[0]).toContain('is of schema version 1.1.0 (the present one was of 2.0.0)');
    expect(restored.warnings[0]).toContain('`llmspell migrate run 2.0.0`');
    expect(await store.schemaVersion()).toBe('1.1.0');
    await migrator.migrate('2.0.0');
    expect(await contentOf(store)).toEqual({ ...NEW, ...OTHER });
    await store.close();
  });

  test('a moment within an incremental backup is of the version of that moment', async () => {
    const { store, migrator, backups } = await bench({ backUpFirst: false });
    await backups.create();
    await put(store, 'cache', '2', 'x');
    const { seq } = store.position();
    await migrator.migrate();
    await backups.create({ incremental: true });
    const recovery = new RecoveryOrchestrator({ store, backups });
    expect(await recovery.restore({ seq })).toMatchObject({ schemaVersion: undefined });
    expect(await contentOf(store)).toEqual({ ...OLD, ...OTHER, 'cache 2': 'x' });
    await store.close();
  });

  test('entries that fail are all named, and the state stays as it was', async () => {
    const { store, migrator } = await bench();
    await put(store, 'user:3', 'profile', { name: 'x', age: 'old' });
    await put(store, 'user:4', 'profile', { name: 'x', age: '151' });
    await put(store, 'user:5', 'profile', { age: '1' });
    const before = await contentOf(store);
    const failure = (await migrator.migrate().catch((error: unknown) => error)) as MigrationFailure;
    expect(failure).toBeInstanceOf(MigrationFailure);
    expect(failure.failures.map(({ scope, field, reason }) => [`${scope}`, field, reason])).toEqual([
      ['user:5', 'name', 'it is required, and missing'],
      ['user:3', 'age', '"old" does not convert to integer'],
    ]);
    expect(await contentOf(store)).toEqual(before);
    expect(await store.schemaVersion()).toBeUndefined();
    await put(store, 'user:5', 'profile', null);
    await put(store, 'user:3', 'profile', null);
    const dry = await migrator.migrate('1.1.0', { dryRun: true });
    expect(dry.failures).toMatchObject([{ field: 'age', reason: '151 is not between 0 and 150' }]);
    expect(await contentOf(store)).toMatchObject(OLD);
    await store.close();
  });

  test('a dry run tells what would change, and changes nothing', async () => {
    const { store, migrator, backups } = await bench();
    const position = store.position();
    const dry = await migrator.migrate('1.1.0', { dryRun: true });
    expect(dry).toMatchObject({ dryRun: true, entriesChecked: 4, entriesMigrated: 2, failureCount: 0 });
    expect(dry.byScope).toEqual([
      { scope: 'user:1', entries: 1 },
      { scope: 'user:2', entries: 1 },
    ]);
    expect(dry.byStep.map(({ what, entries }) => [what, entries])).toEqual([
      ['convert age to integer', 1],
      ['set settings.theme where it is missing', 2],
    ]);
    expect(dry.differences[0]).toEqual({
      scope: 'user:1',
      key: 'profile',
      before: OLD['user:1 profile'],
      after: { ...OLD['user:1 profile'], age: 36, settings: { theme: 'dark' } },
    });
    expect([store.position(), await backups.list()]).toEqual([position, []]);
    await store.close();
  });

  test('what others write meanwhile is migrated too', async () => {
    const { store, migrator } = await bench({ backUpFirst: false });
    const writes: Promise<void>[] = [];
    const onProgress = ({ phase }: Progress) => {
      if (phase === 'migrate') writes.push(put(store, 'user:9', 'profile', { name: 'Late Comer' }));
      if (phase === 'migrate') writes.push(put(store, 'user:2', 'profile', null));
      // From here on writers wait until after the swap.
      if (phase === 'record') writes.push(put(store, 'user:8', 'profile', { name: 'Too Late' }));
    };
    await migrator.migrate('2.0.0', { onProgress });
    await Promise.all(writes);
    const content = await contentOf(store);
    expect(content['user:9 profile']).toEqual({ name: { first: 'Late', last: 'Comer' }, settings: { theme: 'dark' } });
    expect(content['user:8 profile']).toEqual({ name: 'Too Late' });
    expect(content).not.toHaveProperty('user:2 profile');
    await store.close();
  });

  test('an aborted migration leaves the state as it was, and progress is told', async () => {
    const { store, migrator } = await bench();
    const before = await contentOf(store);
    const controller = new AbortController();
    const seen: string[] = [];
    const onProgress = ({ operation, phase }: Progress) => {
      seen.push(`${operation} ${phase}`);
      if (phase === 'record') controller.abort();
    };
    const aborted = migrator.migrate('2.0.0', { signal: controller.signal, onProgress });
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
    expect([await contentOf(store), await store.schemaVersion()]).toEqual([before, undefined]);
    expect(seen).toContain('migrate migrate');
    await put(store, 'user:1', 'other', 'goes on');
    await migrator.migrate();
    expect(await store.schemaVersion()).toBe('2.0.0');
    await store.close();
  });
});

describe('Lua steps run with the limits of scripts', () => {
  async function migrating(lua: string, more = {}) {
    const store = await BACKENDS.memory();
    await put(store, 's', 'k', { a: [1, { $float: '1' }, { $int: '9007199254740993' }], b: { $bytes: '/wA=' } });
    await put(store, 's', 'l', 2);
    const directory = await schemaDirectory({
      '1.0.0.toml': '',
      '2.0.0.toml': '[[steps]]\nlua = "x.lua"',
      'x.lua': lua,
    });
    return { store, ...(await migratorOf(store, directory, { backUpFirst: false, ...more })) };
  }

  test('values go through them exactly; nil removes the entry', async () => {
    const { store, migrator } = await migrating(
      'return { up = function(v, key, scope) if key == "l" then return nil end v.more = scope .. key return v end }',
    );
    await migrator.migrate();
    expect(await contentOf(store)).toEqual({
      's k': { a: [1, { $float: '1' }, { $int: '9007199254740993' }], b: { $bytes: '/wA=' }, more: 'sk' },
    });
  });

  test.each([
    ['error("never " .. key, 0)', 'never k'],
    ['error({})', 'table: '],
    ['return { f = print }', 'what it returned cannot be stored: value.f: cannot store a function'],
    ['return State.get("s", key)', "attempt to index a nil value (global 'State')"],
  ])('what goes wrong in `%s` is told of the entry', async (body, reason) => {
    const { store, migrator } = await migrating(
      `return { up = function(v, key) if key == "k" then ${body} end return v end }`,
    );
    const before = await contentOf(store);
    const failure = (await migrator.migrate().catch((error: unknown) => error)) as MigrationFailure;
    expect(failure.failures).toHaveLength(1);
    expect(failure.failures[0]!.reason).toContain(reason);
    expect(await contentOf(store)).toEqual(before);
  });

  test.each([
    ['return {', 'SCHEMA_INVALID', 'x.lua:1: unexpected symbol near <eof>'],
    ['return { down = print }', 'SCHEMA_INVALID', 'x.lua: it has no function up'],
    ['return 1', 'SCHEMA_INVALID', 'x.lua: it must return a table with the functions'],
    ['return { up = function() os.exit(3) end }', 'MIGRATION_FAILED', 'A Lua step ended the machine'],
    ['return { up = function() return string.rep("x", 1 << 24) end }', 'MIGRATION_FAILED', 'and the limit is 10000000'],
  ])('%s stops it', async (lua, code, message) => {
    const { store, migrator } = await migrating(lua);
    const before = await contentOf(store);
    await expect(migrator.migrate()).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    expect(await contentOf(store)).toEqual(before);
  });

  const ENDLESS = 'return { up = function() while true do pcall(string.rep, "x", 10) end end }';
  const HOARDER = 'local t = {} return { up = function() while true do t[#t + 1] = ("x"):rep(1e6) .. #t end end }';
  test.each<[string, Partial<typeof MACHINE.limits> & { timeoutSeconds?: number }, string, string]>([
    [
      ENDLESS,
      { timeoutSeconds: 1 },
      'SCRIPT_TIMEOUT',
      'The Lua steps were stopped: the script ran longer than 1 second.',
    ],
    [
      ENDLESS,
      { maxInstructions: 100_000 },
      'SCRIPT_INSTRUCTIONS',
      'The Lua steps were stopped: the script ran more than 100000 instructions.',
    ],
    [HOARDER, { memoryBytes: 32 << 20 }, 'MIGRATION_FAILED', 'the first: s k: not enough memory'],
  ])('%s: %o ends it, and the state is as it was', async (lua, { timeoutSeconds = 20, ...limits }, code, message) => {
    const machine = { ...MACHINE, limits: { ...MACHINE.limits, ...limits } };
    const openLua: OpenLuaSteps = (files, signal) => LuaMigration.open(files, { machine, timeoutSeconds, signal });
    const { store, migrator } = await migrating(lua, { openLua });
    const before = await contentOf(store);
    await expect(migrator.migrate()).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    expect([await contentOf(store), await store.schemaVersion()]).toEqual([before, undefined]);
  });
});

test('a large migration is recorded in pieces that LevelDB is handed in buffers used again, and the store is sound after it', async () => {
  const directory = join(await newDirectory(), 'state');
  const store = await openStore(createLevelBackend({ directory }));
  for (let i = 0; i < 60; i++) await put(store, 's', `${i}`, { text: 'x'.repeat(200_000) });
  const schemas = { '1.0.0.toml': '', '2.0.0.toml': '[[steps]]\nrename = { from = "text", to = "body" }' };
  const { migrator } = await migratorOf(store, await schemaDirectory(schemas), { backUpFirst: false });
  const { entriesMigrated } = await migrator.migrate();
  expect([entriesMigrated, store.position().seq]).toEqual([60, 120]);
  await store.close();
  const backend = createLevelBackend({ directory });
  await backend.open();
  const pieces: number[] = [];
  for await (const { bytes } of backend.changesSince(60)) pieces.push(bytes.length);
  await backend.close();
  expect(pieces.length).toBeGreaterThan(2);
  expect(Math.max(...pieces)).toBeLessThan(KEPT_BYTES);
  expect(await checkState(createLevelBackend({ directory }))).toMatchObject({ isSound: true });
});
