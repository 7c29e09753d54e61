import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StatePort } from '../../src/channel/protocol.js';
import { installState } from '../../src/lua/globals/state.js';
import { createVm } from '../../src/lua/loader.js';
import type { LuaVm } from '../../src/lua/vm.js';
import { decodeValue } from '../../src/state/codec.js';
import { luaValue, SAME } from './support/lua-values.js';

/** A machine whose `State` keeps one value, as bytes. */
async function machine(
  maxValueDepth = 100,
): Promise<{ vm: LuaVm; stored: () => Uint8Array; store: (bytes: Uint8Array) => void }> {
  const vm = createVm([]);
  let stored = new Uint8Array();
  const port = {
    get: () => stored,
    set: (_scope: Uint8Array, _key: Uint8Array, value: Uint8Array) => {
      stored = value.slice();
    },
  } as unknown as StatePort;
  vm.setUp((L) => {
    vm.lua.luaL_openlibs(L);
    const limits = { memoryBytes: 0, maxInstructions: 0, maxOutputBytes: 0, maxValueBytes: 50_000_000, maxValueDepth };
    installState(vm, L, { port, limits, calls: [], onEvent: () => undefined });
  });
  const store = (bytes: Uint8Array) => {
    stored = new Uint8Array(bytes);
  };
  return { vm, stored: () => stored, store };
}

/** Runs Lua; the message of its error, or undefined. */
function run(vm: LuaVm, source: string): string | undefined {
  const status = vm.protect((L) => {
    if (vm.load(L, Buffer.from(source), '=test') !== 0) return vm.lua.lua_error(L);
    vm.lua.lua_callk(L, 0, 0, 0, 0);
    return 0;
  }, 0);
  if (status === 0) return undefined;
  const message = vm.text(vm.L, -1);
  vm.lua.lua_settop(vm.L, 0);
  return message;
}

test('every value comes back as it went in, and leaves nothing on the stack', async () => {
  const { vm } = await machine();
  expect(run(vm, SAME)).toBeUndefined();
  fc.assert(
    fc.property(luaValue, (source) => {
      const check = `local v = ${source} State.set("k", v) assert(same(State.get("k"), v)) assert(same(v, ${source}))`;
      expect(run(vm, check)).toBeUndefined();
      expect(vm.lua.lua_gettop(vm.L)).toBe(0);
    }),
    { numRuns: 400 },
  );
});

test('values are encoded as the other side reads them', async () => {
  const { vm, stored } = await machine();
  const encoded = (source: string) => {
    expect(run(vm, `State.set("k", ${source})`)).toBeUndefined();
    return decodeValue(stored());
  };
  expect(encoded('{1, 2.5, "three", {true}}')).toEqual([1, 2.5, 'three', [true]]);
  expect(encoded('{a = {b = {}}}')).toEqual({ a: { b: {} } });
  expect(encoded('{[1] = "x", [3] = "z"}')).toEqual(
    new Map<number, string>([
      [1, 'x'],
      [3, 'z'],
    ]),
  );
  expect(encoded('{"x", y = 1}')).toEqual(
    new Map<number | string, number | string>([
      [1, 'x'],
      ['y', 1],
    ]),
  );
  expect(encoded('math.maxinteger')).toBe(2n ** 63n - 1n);
  expect(encoded('"\\255\\0"')).toEqual(new Uint8Array([255, 0]));
  expect(encoded('("ü"):rep(100)')).toBe('ü'.repeat(100));
});

test('large tables and deep ones', async () => {
  const { vm } = await machine(100_000);
  expect(run(vm, SAME)).toBeUndefined();
  expect(
    run(
      vm,
      `
      local big = {} for i = 1, 100000 do big[i] = i end
      State.set("k", big) assert(same(State.get("k"), big))
      local map = {} for i = 1, 70000 do map["key" .. i] = i end
      State.set("k", map) assert(same(State.get("k"), map))
      local deep = {} for i = 1, 30000 do deep = { deep } end
      State.set("k", deep)
      local depth, t = 0, State.get("k") while t[1] do t = t[1] depth = depth + 1 end
      assert(depth == 30000)
      local long = ("\\0ä"):rep(1000000) State.set("k", long) assert(State.get("k") == long)`,
    ),
  ).toBeUndefined();
});

test('a table that occurs twice comes back as two, a metatable does not come back, and a get is a fresh table', async () => {
  const { vm } = await machine();
  expect(
    run(
      vm,
      `
      local t = setmetatable({ 1 }, { __pairs = error, __index = error, __len = error })
      State.set("k", { t, t })
      local back = State.get("k")
      assert(back[1] ~= back[2] and back[1][1] == 1 and back[2][1] == 1 and getmetatable(back[1]) == nil)
      back[1][1] = "changed"
      assert(State.get("k")[1][1] == 1)`,
    ),
  ).toBeUndefined();
});

test('finalizers that use State while a value is being built disturb nothing', async () => {
  const { vm } = await machine();
  expect(run(vm, SAME)).toBeUndefined();
  expect(
    run(
      vm,
      `
      local v = {} for i = 1, 300 do v[i] = { name = "entry " .. i, list = { i, i + 0.5, tostring(i) } } end
      State.set("k", v)
      local finalized = 0
      for round = 1, 60 do
        for i = 1, 20 do setmetatable({}, { __gc = function() finalized = finalized + 1 State.get("k") end }) end
        assert(same(State.get("k"), v))
      end
      assert(finalized > 500)`,
    ),
  ).toBeUndefined();
});

test('refused values leave the machine as it was', async () => {
  const { vm } = await machine();
  expect(
    run(
      vm,
      `
      State.set("k", "kept")
      local cyclic = { { x = {} } } cyclic[1].x.y = cyclic
      for i = 1, 2000 do
        assert(not pcall(State.set, "k", { a = { b = { print } } }))
        assert(not pcall(State.set, "k", cyclic))
      end
      assert(State.get("k") == "kept")`,
    ),
  ).toBeUndefined();
});

test('stored bytes that are no value are an ordinary error', async () => {
  const { vm, store } = await machine();
  const broken: [number[], string][] = [
    [[], 'a stored value is cut short'],
    [[0xa5, 0x61], 'a stored value is cut short'],
    [[0x93, 1, 2], 'a stored value is cut short'],
    [[0xcb, 1, 2], 'a stored value is cut short'],
    [[0xd4, 1, 2], 'a stored value has an unknown part (0xd4)'],
    [[0xdd, 0xff, 0xff, 0xff, 0xff], 'a stored value is cut short'],
  ];
  for (const [bytes, message] of broken) {
    store(Uint8Array.from(bytes));
    expect(run(vm, 'State.get("k")')).toBe(`test:1: ${message}`);
  }
  store(Uint8Array.from([0x92, 0xca, 0x3f, 0xc0, 0, 0, 0xcf, 0, 0, 0, 0, 0, 0, 0, 7]));
  expect(run(vm, 'local v = State.get("k") assert(v[1] == 1.5 and v[2] == 7)')).toBeUndefined();
});

test('a value that the memory limit leaves no room for is an error that can be caught', async () => {
  const { vm, store } = await machine();
  vm.maxMemoryBytes = 20 * 2 ** 20;
  store(Buffer.concat([Buffer.from([0xdb, 2, 0, 0, 0]), Buffer.alloc(2 ** 25, 'x')]));
  expect(run(vm, 'local ok, e = pcall(State.get, "k") assert(not ok and e == "not enough memory")')).toBeUndefined();
  expect(run(vm, 'assert(#("x"):rep(1000) == 1000)')).toBeUndefined();
});
