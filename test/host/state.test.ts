import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ScriptHost } from '../../src/host/script-host.js';
import { type NamedCall, StateService } from '../../src/host/state-service.js';
import { createMemoryBackend } from '../../src/state/backends/memory.js';
import { decodeValue } from '../../src/state/codec.js';
import { openStore } from '../../src/state/store.js';
import type { StateStore } from '../../src/state/types.js';
import { utf8 } from '../../src/util/bytes.js';
import { MACHINE, runScript, scriptHost } from './script-runs.js';

const calls: Record<string, NamedCall> = {
  create_backup: async ([options], { emit }) => {
    emit({ phase: 'writing', done: 1, total: 2 });
    emit({ phase: 'writing', done: 2, total: 2 });
    return { success: true, created_at: 1_700_000_000, ratio: 0.5, parent_id: undefined, options };
  },
  get_schema_versions: async () => ['1.0.0', '2.0.0'],
};

let store: StateStore;
let host: ScriptHost;

beforeAll(async () => {
  store = await openStore(createMemoryBackend());
  host = scriptHost({
    machine: { ...MACHINE, state: true, calls: Object.keys(calls) },
    service: new StateService({ store: async () => store, calls }),
    warm: true,
  });
});

afterAll(async () => {
  await host.close();
  await store.close();
});

/** Runs Lua that asserts; on failure the Lua message is shown. */
async function lua(source: string): Promise<void> {
  const { error, text } = await runScript(host, source);
  expect(error && `${error.message}\n${error.traceback}\n${text}`).toBeUndefined();
}

/** What an expression that must fail raises. */
async function failure(source: string): Promise<string | undefined> {
  return (await runScript(host, { source, chunkName: '=lua' })).error?.message;
}

describe('the basic functions', () => {
  test('set, get, has, delete, with scope and without', () =>
    lua(`
      State.set("user", "name", "Ada")
      assert(State.get("user", "name") == "Ada" and State.get("name") == nil)
      State.set("name", "global one")
      assert(State.get("name") == "global one" and State.get("global", "name") == "global one")
      assert(State.has("user", "name") and not State.has("user", "other") and State.has("name"))
      assert(State.delete("user", "name") == true and State.delete("user", "name") == false)
      assert(State.get("user", "name") == nil and State.delete("name") == true)
      assert(select("#", State.set("x", 1)) == 0)
      State.set("x", nil)
      assert(not State.has("x"))
      State.set("user", "gone", 1) State.set("user", "gone", nil)
      assert(State.get("user", "gone", "default") == "default")
      assert(State.get("user", "gone", false) == false)
      assert(select("#", State.get("user", "gone")) == 1)
    `));

  test('list in byte order, by prefix, after a key and up to a limit', () =>
    lua(`
      for _, k in ipairs { "b", "a:2", "a:1", "\\255", "a" } do State.set("listed", k, true) end
      local function keys(options) return table.concat(State.list("listed", options), " ") end
      assert(keys() == "a a:1 a:2 b \\255")
      assert(keys { prefix = "a:" } == "a:1 a:2")
      assert(keys { after = "a:1", limit = 2 } == "a:2 b")
      assert(keys { limit = 0 } == "")
      assert(#State.list("nothing") == 0)
      assert(State.clear("listed") == 5 and State.clear("listed") == 0)
    `));

  test('scopes shows what holds anything, whatever its name', () =>
    lua(`
      State.set("a:b", "c", 1) State.set("a", "b:c", 2) State.set("nul\\0", "\\0", 3)
      local seen = {}
      for _, s in ipairs(State.scopes()) do seen[s] = true end
      assert(seen["a:b"] and seen["a"] and seen["nul\\0"] and not seen["empty"])
      assert(State.get("a:b", "c") == 1 and State.get("a", "b:c") == 2 and State.get("nul\\0", "\\0") == 3)
    `));

  test('the older names', () =>
    lua(`
      State.save("old", "k", 1) assert(State.load("old", "k") == 1 and State.list_keys("old")[1] == "k")
      State.agent_set("planner", "goal", "x") assert(State.get("agent:planner", "goal") == "x")
      assert(State.agent_get("planner", "goal") == "x")
      State.tool_set("search", "n", 1) assert(State.tool_get("search", "n") == 1 and State.has("tool:search", "n"))
      State.workflow_set("etl", "load", { done = true })
      assert(State.workflow_get("etl", "load").done and State.workflow_list("etl")[1] == "load")
    `));

  test('are synchronous inside comparators, callbacks, metamethods, iterators and coroutines', () =>
    lua(`
      State.set("w", "a", 2) State.set("w", "b", 1)
      local t = { "a", "b" }
      table.sort(t, function(x, y) return State.get("w", x) < State.get("w", y) end)
      assert(t[1] == "b")
      assert(string.gsub("a b", "%a", function(c) return State.get("w", c) end) == "2 1")
      assert(setmetatable({}, { __index = function(_, k) return State.get("w", k) end }).a == 2)
      assert(coroutine.wrap(function() coroutine.yield(State.get("w", "b")) end)() == 1)
      for k in (function() return State.list("w")[3] end) do error(k) end
    `));

  test('increment adds as Lua adds', () =>
    lua(`
      assert(State.increment("n", "a") == 1 and math.type(State.increment("n", "a")) == "integer")
      assert(State.increment("n", "a", -5) == -3)
      assert(math.type(State.increment("n", "a", 0.5)) == "float" and State.get("n", "a") == -2.5)
      State.set("n", "max", math.maxinteger)
      assert(State.increment("n", "max") == math.mininteger)
      State.set("n", "text", "7")
      local ok, e = pcall(State.increment, "n", "text") assert(not ok and e:find("Only a number"))
    `));

  test('flush returns', () => lua('State.set("f", 1) State.flush()'));
});

test('wrong calls raise what Lua would, at the line of the caller', async () => {
  const wrong = [
    ['State.set("s", nil, 1)', "bad argument #2 to 'set' (string expected, got nil)"],
    ['State.set()', "bad argument #1 to 'set' (string expected, got no value)"],
    ['State.set("k")', "bad argument #2 to 'set' (value expected)"],
    ['State.get({})', "bad argument #1 to 'get' (string expected, got table)"],
    ['State.get("", "k")', "bad argument #1 to 'get' (scope must not be empty)"],
    ['State.get("s", "")', "bad argument #2 to 'get' (key must not be empty)"],
    ['State.list("s", 1)', "bad argument #2 to 'list' (table expected, got number)"],
    ['State.list("s", {prefx = 1})', "unknown option 'prefx'; the options are prefix, after, limit"],
    ['State.list("s", {limit = -1})', "option 'limit' must be a whole number of at least 0"],
    ['State.clear()', "bad argument #1 to 'clear' (string expected, got no value)"],
    ['State.update("s", "k", 1)', "bad argument #3 to 'update' (function expected, got number)"],
    ['State.transaction()', "bad argument #1 to 'transaction' (function expected, got no value)"],
    ['State.increment("s", "k", "x")', "bad argument #3 to 'increment' (number expected, got string)"],
    ['State.at({})', "bad argument #1 to 'at' (time or backup id expected, got table)"],
    ['State.set("s", "k", print)', "bad argument #3 to 'set' (value: cannot store a function)"],
    ['State.set("k", {a = {1, {cb = print}}})', 'value.a[2].cb: cannot store a function'],
    ['State.set("k", {[print] = 1})', 'value: cannot store a function as a key'],
    ['State.set("k", {["a b"] = io.stdout})', 'value["a b"]: cannot store a userdata'],
    ['local t = {} t.x = {y = t} State.set("k", t)', 'value.x.y: cannot store a table that contains itself'],
    ['local t = {} for i = 1, 101 do t = {t} end State.set("k", t)', 'nested deeper than 100 tables'],
    ['State.set("k", ("x"):rep(10000001))', 'value: larger than 10000000 bytes'],
    ['State.update("k", function() return print end)', 'value: cannot store a function'],
  ] as const;
  const attempts = wrong.map(([source]) => `print((select(2, pcall(load([==[${source}]==], "=lua")))))`);
  const raised = (await runScript(host, attempts.join('\n'))).text.split('\n');
  wrong.forEach(([source, message], i) => {
    expect(raised[i], source).toContain(message);
    expect(raised[i], source).toMatch(/^lua:1: /);
    expect(raised[i], source).not.toMatch(/\bat .*\.js|Error:/);
  });
});

describe('update and transaction', () => {
  test('update hands in the old value and stores the new one', () =>
    lua(`
      assert(State.update("u", "k", function(old) assert(old == nil) return { n = 1 } end).n == 1)
      assert(State.update("u", "k", function(old) old.n = old.n + 1 return old end).n == 2)
      assert(State.update("u", "k", function() return nil end) == nil and not State.has("u", "k"))
    `));

  test('a transaction that raises leaves no trace; one that returns is visible as a whole', () =>
    lua(`
      State.set("t", "a", 1)
      local ok, e = pcall(State.transaction, function() State.set("t", "a", 2) State.set("t", "b", 2) error("no", 0) end)
      assert(not ok and e == "no" and State.get("t", "a") == 1 and not State.has("t", "b"))
      local x, y = State.transaction(function()
        State.set("t", "b", { 1 }) State.delete("t", "a")
        assert(State.get("t", "b")[1] == 1 and not State.has("t", "a"))
        assert(table.concat(State.list("t"), ",") == "b")
        assert(State.increment("t", "n", 3) == 3)
        return "x", nil
      end)
      assert(x == "x" and y == nil and State.get("t", "b")[1] == 1 and not State.has("t", "a") and State.get("t", "n") == 3)
    `));

  test('lists and scopes inside a transaction show its writes', () =>
    lua(`
      State.set("tl", "a", 1) State.set("tl", "b", 1) State.set("only", "k", 1)
      State.transaction(function()
        State.set("tl", "ab", 1) State.delete("tl", "a") State.set("new scope", "k", 1) State.clear("only")
        assert(table.concat(State.list("tl", { limit = 1 }), ",") == "ab")
        assert(table.concat(State.list("tl", { after = "ab" }), ",") == "b")
        assert(table.concat(State.list("tl", { prefix = "a" }), ",") == "ab")
        local seen = {}
        for _, s in ipairs(State.scopes()) do seen[s] = true end
        assert(seen["new scope"] and seen.tl and not seen.only)
      end)
      assert(#State.list("only") == 0)
    `));

  test('an inner transaction that fails is undone alone', () =>
    lua(`
      State.transaction(function()
        State.set("nest", "outer", 1)
        pcall(State.transaction, function() State.set("nest", "inner", 1) error("x") end)
        State.transaction(function() State.set("nest", "second", State.get("nest", "outer") + 1) end)
      end)
      assert(State.get("nest", "outer") == 1 and not State.has("nest", "inner") and State.get("nest", "second") == 2)
    `));

  test('what cannot be undone is refused inside a transaction', async () => {
    expect(await failure('State.transaction(State.flush)')).toContain(
      'State.flush cannot be used inside a transaction',
    );
    expect(await failure('State.transaction(function() State.create_backup() end)')).toContain(
      'create_backup cannot be used',
    );
  });

  test('a key that changes behind every attempt is given up with a clear error', async () => {
    const source =
      'State.update("u", "k", function() State.set("u", "k", (State.get("u", "k") or 0) + 1) return 0 end)';
    expect(await failure(source)).toContain('State.update gave up after 100 attempts');
  });

  test('updates, increments and transactions of several scripts at once lose nothing', async () => {
    const source = `
      for i = 1, 100 do
        State.increment("many", "inc")
        State.update("many", "upd", function(n) return (n or 0) + 1 end)
        State.transaction(function() State.set("many", "txn", (State.get("many", "txn") or 0) + 1) end)
      end`;
    const results = await Promise.all([1, 2, 3].map(() => runScript(host, source)));
    expect(results.map((r) => r.error)).toEqual([undefined, undefined, undefined]);
    await lua('for _, k in ipairs { "inc", "upd", "txn" } do assert(State.get("many", k) == 300, k) end');
  });
});

describe('the past', () => {
  test('history tells every change of a key, newest first', () =>
    lua(`
      State.set("h", "k", { n = 1 }) State.set("h", "k", 2.0) State.delete("h", "k") State.set("h", "k", "back")
      local all = State.history("h", "k")
      assert(#all == 4 and all[1].value == "back" and all[1].deleted == false)
      assert(all[2].deleted == true and all[2].value == nil)
      assert(math.type(all[3].value) == "float" and all[4].value.n == 1)
      assert(math.type(all[1].seq) == "integer" and math.type(all[1].at_ms) == "integer")
      assert(all[1].seq > all[2].seq and all[1].at_ms >= all[4].at_ms)
      assert(#State.history("h", "k", { limit = 2 }) == 2 and #State.history("h", "never") == 0)
      State.set("short", 1)
      assert(#State.history("short") == 1 and #State.history("short", { limit = 0 }) == 0)
    `));

  test('a view shows the state as it was, cannot be written, and lives beside others', () =>
    lua(`
      State.set("v", "k", "old") State.set("v", "gone", 1)
      local ms = State.history("v", "gone")[1].at_ms
      local first = ms / 1000
      local later = os.clock() + 0.02 while os.clock() < later do end
      State.set("v", "k", "new") State.delete("v", "gone") State.set("v", "later", 1)
      local past, present = State.at(first), State.at(os.time() + 100)
      assert(past.get("v", "k") == "old" and past.has("v", "gone") and not past.has("v", "later"))
      assert(past.get("v", "later", "default") == "default")
      assert(table.concat(past.list("v"), ",") == "gone,k" and #past.list("v", { prefix = "k" }) == 1)
      assert(table.concat(present.list("v"), ",") == "k,later" and present.get("v", "k") == "new")
      local seen = {} for _, s in ipairs(past.scopes()) do seen[s] = true end
      assert(seen.v and past.set == nil and past.delete == nil)
      State.transaction(function() State.set("v", "k", "inside") assert(past.get("v", "k") == "old") end)
      local keys = 0 for _ in pairs(past) do keys = keys + 1 end
      assert(keys == 4)
      local iso = ("%s.%03dZ"):format(os.date("!%Y-%m-%dT%H:%M:%S", ms // 1000), ms % 1000)
      assert(State.at(iso).get("v", "k") == "old")
    `));

  test('what is no moment is refused at the line of the caller', async () => {
    expect(await failure('State.at("yesterday-ish")')).toMatch(/^lua:1: .*yesterday-ish/);
    expect(await failure('for i = 1, 65 do State.at(1) end')).toContain('64 views');
  });
});

describe('operations by name', () => {
  test('take tables and return tables: whole numbers are integers, absent fields nil', () =>
    lua(`
      local r = State.create_backup { tags = { "a", "b" }, incremental = true }
      assert(r.success == true and r.parent_id == nil and math.type(r.created_at) == "integer" and r.ratio == 0.5)
      assert(r.options.tags[2] == "b" and r.options.incremental == true)
      assert(os.date("!%Y", r.created_at) == "2023")
      assert(State.create_backup().options == nil and State.create_backup(true).options == true)
    `));

  test('are nil where the host does not have them, and known by their older names', () =>
    lua(`
      assert(State.restore_backup == nil and State.create_backup ~= nil)
      assert(State.schema_versions()[2] == "2.0.0" and State.get_schema_versions()[1] == "1.0.0")
    `));

  test('tell a listener of their progress, which may use State itself', () =>
    lua(`
      local seen = {}
      State.on_progress(function(p) seen[#seen + 1] = p.done .. "/" .. p.total State.set("progress", "at", p.done) end)
      State.create_backup()
      assert(table.concat(seen, " ") == "1/2 2/2" and State.get("progress", "at") == 2)
      State.on_progress(nil)
      State.create_backup()
      assert(#seen == 2)
    `));

  test('are completed although the listener fails, and then its error is raised', async () => {
    expect(await failure('State.on_progress(function() error("mine") end) State.create_backup()')).toBe('lua:1: mine');
  });

  test('a listener inside a coroutine', () =>
    lua(`
      local n = 0
      State.on_progress(function() n = n + 1 end)
      assert(coroutine.wrap(function() return State.create_backup().success end)() and n == 2)
    `));
});

describe('trouble in the store', () => {
  test('is a Lua error of one sentence at the line that did it', async () => {
    const readOnly = await openStore(createMemoryBackend(), { readOnly: true });
    const reading = scriptHost({
      machine: { ...MACHINE, state: true },
      service: new StateService({ store: async () => readOnly }),
    });
    const { error, text } = await runScript(reading, {
      source: 'print(pcall(State.get, "k"))\nState.set("k", 1)',
      chunkName: '=lua',
    });
    expect(text).toBe('true\tnil\n');
    expect(error?.message).toMatch(/^lua:2: .*read-only/);
    await reading.close();
    await readOnly.close();
  });

  test('a time limit keeps what was set before it', async () => {
    const { error } = await runScript(host, {
      source: 'State.set("late", "k", "kept") while true do end',
      timeoutSeconds: 1,
    });
    expect(error?.code).toBe('SCRIPT_TIMEOUT');
    expect(decodeValue((await store.get(utf8('late'), utf8('k')))!.value)).toBe('kept');
  });
});
