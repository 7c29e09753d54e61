import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Workspace, workspace } from './cli.js';

let cli: Workspace;
beforeEach(async () => {
  cli = await workspace();
});

async function file(name: string, source: string): Promise<void> {
  await mkdir(dirname(join(cli.cwd, name)), { recursive: true });
  await writeFile(join(cli.cwd, name), source);
}

interface Told {
  path: string[];
  status: string;
  message: string;
  failed_at: string;
  details: string;
  output: string;
  traceback: string;
}

/** The tests of all files, by their names. */
async function tests(...args: string[]): Promise<Record<string, Told>> {
  const { stdout } = await cli.call('test', '--json', ...args);
  const document = JSON.parse(stdout) as { files: { file: string; tests: Told[] }[] };
  const named = document.files.flatMap((each) =>
    each.tests.map((told) => [told.path.length > 0 ? told.path.join(' ') : each.file, told] as const),
  );
  return Object.fromEntries(named);
}
const statuses = (told: Record<string, Told>) =>
  Object.fromEntries(Object.entries(told).map(([name, { status }]) => [name, status]));

test("this project's own Lua tests pass", async () => {
  const directory = fileURLToPath(new URL('../lua-level/', import.meta.url));
  const { code, stdout, stderr } = await cli.run(['test', directory]);
  expect([code, stderr], stdout).toEqual([0, '']);
  expect(stdout).toMatch(/\n\d\d tests passed in /);
});

test('each test has a state and backups of its own; nothing is left behind, and the real state is not touched', async () => {
  await file('llmspell.toml', '[runtime.state_persistence.backup]');
  await cli.ok('state', 'set', 'global', 'real', '1');
  const leaves = `it("leaves something", function()
    assert.is_nil(State.get("real"))
    State.set("a", "b", 1)
    assert.is_true(State.create_backup().success)
  end)`;
  const finds = `it("finds nothing", function()
    assert.are.same({}, State.scopes())
    assert.are.same({}, State.history("a", "b"))
    assert.are.same({}, State.list_backups())
    State.set("a", "b", 2)
    assert.are.equal(2, State.get("a", "b"))
    assert.are.equal(1, #State.history("a", "b"))
  end)`;
  await file(
    'a_test.lua',
    [leaves, finds, leaves.replace('leaves', 'again leaves'), finds.replace('finds', 'again finds')].join('\n'),
  );
  const left = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('llmspell-test-'));
  const before = await left();
  expect(new Set(Object.values(statuses(await tests())))).toEqual(new Set(['passed']));
  expect(await left()).toEqual(before);
  expect(await cli.ok('state', 'list')).toBe('real\n');
  expect(await cli.ok('backup', 'list', '--json')).toContain('[]');
});

test('migrations too are of the state that there is', async () => {
  await file('llmspell.toml', '[runtime.state_persistence]\nmigration_enabled = true\nschema_dir = "schemas"');
  await mkdir(join(cli.cwd, 'schemas'));
  const asks = (name: string) =>
    `it("${name}", function() State.set("a", "b", 1) assert.is_table(State.get_migration_status()) end)`;
  await file('a_test.lua', `${asks('one')} ${asks('two')}`);
  expect(statuses(await tests())).toEqual({ one: 'passed', two: 'passed' });
});

describe('describe, it and hooks', () => {
  test('hooks run from the outermost block in, and back out, also after a failure; setup and teardown once', async () => {
    await file(
      'a_test.lua',
      `local log = {}
      local function say(word) return function() log[#log + 1] = word end end
      setup(say "SETUP") teardown(function() print(table.concat(log, " ")) error(table.concat(log, " "), 0) end)
      before_each(say "before") after_each(say "after")
      describe("block", function()
        setup(say "setup") teardown(say "teardown")
        before_each(say "inner before") after_each(say "inner after")
        it("one", say "1")
        it("two", function() say "2" () error("x") end)
      end)
      it("three", say "3")`,
    );
    const told = await tests();
    expect(statuses(told)).toEqual({
      'block one': 'passed',
      'block two': 'failed',
      three: 'passed',
      'a_test.lua': 'failed',
    });
    expect(told['a_test.lua']!.message).toBe(
      'SETUP setup before inner before 1 inner after after before inner before 2 inner after after teardown before 3 after',
    );
  });

  test('what is pending, with and without a reason', async () => {
    await file('a_test.lua', 'pending("later") it("empty") it("no net", function() pending("offline") end)');
    const { code, stdout } = await cli.call('test');
    expect(code).toBe(0);
    expect(stdout).toContain('- later (pending)\n  - empty (pending)\n  - no net (pending: offline)\n');
    expect(stdout).toContain('0 tests passed, 3 pending');
  });

  test('a failing setup fails the tests that needed it, a block that raises is a failure, and the rest goes on', async () => {
    await file(
      'a_test.lua',
      `describe("a", function() setup(function() error("no db") end) it("one", function() end) end)
      describe("b", function() error("broken block") end)
      it("c", function() end)
      it("d", function() it("inside", function() end) end)`,
    );
    const told = await tests();
    expect(statuses(told)).toEqual({ 'a one': 'failed', b: 'failed', c: 'passed', d: 'failed' });
    expect([told['a one']!.message, told.b!.message]).toEqual(['no db', 'broken block']);
    expect([told.d!.message, told.d!.failed_at]).toEqual(['it cannot be used inside a test.', 'a_test.lua:4']);
  });

  test('only what the filter matches runs, hooks of other blocks not', async () => {
    await file(
      'a_test.lua',
      `describe("fast", function() it("one", function() end) it("two", function() end) end)
      describe("slow", function() setup(function() error("ran") end) it("three", function() end) end)`,
    );
    expect(statuses(await tests('--filter', 'fast t.o$'))).toEqual({ 'fast two': 'passed' });
    const none = await cli.call('test', '--filter', 'nothing');
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('No test matches "nothing".')]);
    const wrong = await cli.call('test', '--filter', '%');
    expect([wrong.code, wrong.stdout]).toEqual([1, expect.stringContaining('The filter is no Lua pattern: malformed')]);
  });
});

describe('assertions', () => {
  test('what holds passes, and what does not fails, in every spelling', async () => {
    const holds = [
      'assert(1 == 1, "plain")',
      'assert.are.equal(1, 1)',
      'assert.equals("a", "a")',
      'assert.are_not.equal(1, 2)',
      'assert.is_not.equal({}, {})',
      'assert.are.same({ 1, { a = "b" } }, { 1, { a = "b" } })',
      'assert.are_not_same({ 1 }, { 1, 2 })',
      'assert.is_true(true)',
      'assert.True(true)',
      'assert.is_not_true(1)',
      'assert.is_false(false)',
      'assert.is_nil(nil)',
      'assert.is.Not.Nil(false)',
      'assert.truthy(0)',
      'assert.is_falsy(nil)',
      'assert.has_error(function() error("x") end)',
      'assert.has_error(function() error("x") end, "x")',
      'assert.has_error(function() error({ code = 1 }) end, { code = 1 })',
      'assert.has_no.errors(function() end)',
      'assert.error_matches(function() error("code 12") end, "code %d+")',
      'assert.near(1, 1.01, 0.02)',
      'assert.matches("^a.c$", "abc")',
      'assert.is_string("x")',
      'assert.is_not_table(1)',
    ];
    const fails = [
      'assert(false, "plain")',
      'assert.are.equal(1, 2)',
      'assert.are.equal({}, {})',
      'assert.are_not.equal(1, 1)',
      'assert.are.same({ 1 }, { 2 })',
      'assert.are.same({ a = 1 }, { a = 1, b = 2 })',
      'assert.is_true(1)',
      'assert.is_false(nil)',
      'assert.is_nil(false)',
      'assert.truthy(false)',
      'assert.falsy(0)',
      'assert.has_error(function() end)',
      'assert.has_error(function() error("x") end, "y")',
      'assert.has_no_errors(function() error("x") end)',
      'assert.near(1, 2, 0.5)',
      'assert.matches("b", "a")',
      'assert.is_number("1")',
      'assert.is_tru(true)',
      'assert.equal(1)',
      'assert()',
    ];
    const source = [...holds, ...fails].map((line) => `it([==[${line}]==], function() ${line} end)`);
    await file('a_test.lua', source.join('\n'));
    const expected = [...holds.map((line) => [line, 'passed']), ...fails.map((line) => [line, 'failed'])];
    expect(statuses(await tests())).toEqual(Object.fromEntries(expected));
  });

  test('a failure tells where, what was expected, what there was, and how tables differ', async () => {
    await file(
      'a_test.lua',
      `local function check(a, b)
        assert.are.same(a, b, "of the shop")
      end
      it("differs", function()
        print("printed")
        check({ n = 3, list = { "a", "b" } }, { n = 4, list = { "a" } })
      end)
      it("raises", function() local x; x.y = 1 end)`,
    );
    const { code, stdout } = await cli.call('test');
    expect(code).toBe(1);
    expect(stdout).toContain(`  ✗ differs
      a_test.lua:2: of the shop
      Expected the values to be the same.
      Expected: { list = { "a", "b" }, n = 3 }
      Actual:   { list = { "a" }, n = 4 }
      They differ at:
        .list[2]: expected "b", got nil
        .n: expected 3, got 4
      stack traceback:
      	a_test.lua:2: in upvalue 'check'
      	a_test.lua:6: in field 'fn'
      printed:
      printed
`);
    expect(stdout).toContain("a_test.lua:8: attempt to index a nil value (local 'x')");
    expect(stdout).toMatch(/\n0 tests passed, 2 failed in \d\.\d\d s\.\n$/);
  });
});

describe('files', () => {
  test('are found by their names, here and below; named ones run whatever they are called', async () => {
    for (const name of [
      'a_test.lua',
      'spec/b_spec.lua',
      'test/deep/c_test.lua',
      'other.lua',
      '.hidden/d_test.lua',
      'node_modules/e_test.lua',
    ])
      await file(name, `it("${name}", function() end)`);
    const found = async (...args: string[]) => Object.keys(await tests(...args));
    expect(await found()).toEqual(['a_test.lua', 'spec/b_spec.lua', 'test/deep/c_test.lua']);
    expect(await found('spec', 'other.lua')).toEqual(['spec/b_spec.lua', 'other.lua']);
    expect((await cli.call('test', 'gone.lua')).code).toBe(2);
    await mkdir(join(cli.cwd, 'empty'));
    expect((await cli.call('test', 'empty')).stderr).toContain('There are no tests');
  });

  test('one that hangs, ends itself, does not compile or runs out of memory is one failure, and the next ones run', async () => {
    await file('a_test.lua', 'it("before", function() end) it("hangs", function() while true do end end)');
    await file('b_test.lua', 'it("leaves", function() os.exit(0) end)');
    await file('c_test.lua', 'x = = 1');
    await file('d_test.lua', 'it("eats", function() local t = {} for i = 1, 1e9 do t[i] = i end end)');
    await file('e_test.lua', 'it("runs", function() State.set("a", 1) assert.equal(1, State.get("a")) end)');
    const told = await tests('--timeout', '2', '--memory-limit', '24M');
    expect(statuses(told)).toEqual({
      before: 'passed',
      hangs: 'failed',
      leaves: 'failed',
      'c_test.lua': 'failed',
      eats: 'failed',
      runs: 'passed',
    });
    expect(told.hangs!.message).toContain('longer than 2 seconds');
    expect(told.leaves!.message).toContain('os.exit(0)');
    expect([told['c_test.lua']!.failed_at, told['c_test.lua']!.message]).toEqual([
      'c_test.lua:1',
      "unexpected symbol near '='",
    ]);
    expect(told.eats!.message).toContain('not enough memory');
  });

  test('require finds modules beside the tests, and the walls are the configured ones', async () => {
    await file('spec/module.lua', 'return { answer = 42 }');
    await file('spec/a_spec.lua', 'it("m", function() assert.equal(42, require("module").answer) end)');
    expect(statuses(await tests())).toEqual({ m: 'passed' });
    await file('b_test.lua', 'it("io", function() assert.is_nil(io.open("b_test.lua")) end)');
    expect(statuses(await tests('--deny', 'file', 'b_test.lua'))).toEqual({ io: 'passed' });
    await file('llmspell.toml', '[engines.lua]\nstdlib_level = "safe"');
    await file('c_test.lua', 'it("debug", function() assert.is_nil(debug) assert.has_error(error) end)');
    expect(statuses(await tests('c_test.lua'))).toEqual({ debug: 'passed' });
  });
});

describe('reports', () => {
  const SOURCE = `describe("a & b", function()
    it("passes # 1", function() print("quiet") end)
    it("fails <here>", function() print("\\27loud") assert.equal("x", "y\\n") end)
    pending("later")
  end)`;

  test('TAP', async () => {
    await file('a_test.lua', SOURCE);
    await file('b_test.lua', 'it("more", function() end)');
    const { code, stdout } = await cli.run(['test', '--format', 'tap']);
    expect(code).toBe(1);
    expect(stdout).toBe(`TAP version 14
ok 1 - a_test.lua: a & b passes \\# 1
not ok 2 - a_test.lua: a & b fails <here>
  ---
  message: |-
    a_test.lua:3: Expected the values to be equal.
    Expected: "x"
    Actual:   "y\\n"
  ...
ok 3 - a_test.lua: a & b later # SKIP pending
ok 4 - b_test.lua: more
1..4
`);
  });

  test('JUnit', async () => {
    await file('a_test.lua', SOURCE);
    const { code, stdout } = await cli.call('test', '--format', 'junit');
    expect(code).toBe(1);
    expect(stdout.replace(/time="\d+\.\d{3}"/g, 'time="T"')).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="3" failures="1" errors="0" skipped="1" time="T">
  <testsuite name="a_test.lua" tests="3" failures="1" errors="0" skipped="1" time="T">
    <testcase name="a &amp; b passes # 1" classname="a_test.lua" file="a_test.lua" line="2" time="T"><system-out>quiet&#10;</system-out></testcase>
    <testcase name="a &amp; b fails &lt;here&gt;" classname="a_test.lua" file="a_test.lua" line="3" time="T"><failure message="Expected the values to be equal.">a_test.lua:3: Expected the values to be equal.&#10;Expected: &quot;x&quot;&#10;Actual:   &quot;y\\n&quot;</failure><system-out>\ufffdloud&#10;</system-out></testcase>
    <testcase name="a &amp; b later" classname="a_test.lua" file="a_test.lua" line="4" time="T"><skipped/></testcase>
  </testsuite>
</testsuites>
`);
  });

  test('another format is refused', async () => {
    expect((await cli.run(['test', '--format', 'tpa'])).stderr).toContain("'tpa' is invalid");
  });
});
