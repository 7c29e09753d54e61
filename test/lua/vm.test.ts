import { expect, test } from 'vitest';
import { STATUS } from '../../src/lua/api.js';
import { createVm } from '../../src/lua/loader.js';
import { type ImportPatch, type LuaVm, ScriptExit } from '../../src/lua/vm.js';

/** Collects what the machine writes to its descriptors. */
function collector(): { patch: ImportPatch; text: () => string } {
  const chunks: Uint8Array[] = [];
  const patch: ImportPatch = (imports, vm) => {
    imports.wasi_snapshot_preview1!.fd_write = (_fd: number, vectors: number, count: number, written: number) => {
      let total = 0;
      for (let i = 0; i < count; i++) {
        const at = vm.u32[(vectors >> 2) + 2 * i]!;
        const length = vm.u32[(vectors >> 2) + 2 * i + 1]!;
        chunks.push(vm.u8.slice(at, at + length));
        total += length;
      }
      vm.u32[written >> 2] = total;
      return 0;
    };
  };
  return { patch, text: () => Buffer.concat(chunks).toString('latin1') };
}

function run(vm: LuaVm, source: string): number {
  return vm.protect((L) => {
    if (vm.load(L, new TextEncoder().encode(source), '=test') !== STATUS.ok) return vm.lua.lua_error(L);
    vm.lua.lua_callk(L, 0, 0, 0, 0);
    return 0;
  });
}

async function machine(...patches: ImportPatch[]): Promise<LuaVm> {
  const vm = createVm(patches);
  vm.setUp((L) => vm.lua.luaL_openlibs(L));
  return vm;
}

test('a script runs in a machine whose imports are replaced', async () => {
  const out = collector();
  const vm = await machine(out.patch);
  expect(run(vm, 'print(1+1, 7 // 2, "a\\0b")')).toBe(STATUS.ok);
  vm.lua.fflush(0);
  expect(out.text()).toBe('2\t3\ta\0b\n');
});

test('two machines of one thread share nothing', async () => {
  const [a, b] = await Promise.all([machine(), machine()]);
  expect(run(a, 'shared = 1')).toBe(STATUS.ok);
  expect(run(b, 'assert(shared == nil)')).toBe(STATUS.ok);
});

test('an error is left on the stack with its position', async () => {
  const vm = await machine();
  expect(run(vm, '\nerror("broken")')).toBe(STATUS.runtime);
  expect(vm.text(vm.L, -1)).toBe('test:2: broken');
});

test('an exception in a host function is a Lua error at the caller, without a stack', async () => {
  const vm = await machine();
  vm.setUp((L) => {
    vm.pushFunction(L, () => {
      throw new TypeError('no such thing');
    });
    vm.lua.lua_setglobal(L, vm.cstring('fail'));
  });
  expect(run(vm, 'local ok, e = pcall(function() fail() end); error(e, 0)')).toBe(STATUS.runtime);
  expect(vm.text(vm.L, -1)).toBe('test:1: no such thing');
});

test('errors by the thousand leave the machine as it was', async () => {
  const vm = await machine();
  vm.setUp((L) => {
    vm.pushFunction(L, () => {
      throw new Error('again');
    });
    vm.lua.lua_setglobal(L, vm.cstring('fail'));
  });
  expect(run(vm, 'for i = 1, 10000 do assert(not pcall(fail)) end')).toBe(STATUS.ok);
  expect(run(vm, 'return 1')).toBe(STATUS.ok);
});

test('an unwinding passes every pcall of the script', async () => {
  const vm = await machine();
  vm.setUp((L) => {
    vm.pushFunction(L, () => {
      throw new ScriptExit(3);
    });
    vm.lua.lua_setglobal(L, vm.cstring('leave'));
  });
  expect(() => run(vm, 'while true do pcall(leave) end')).toThrow(ScriptExit);
});

test('a host function at the end of its own stack is no Lua error: the machine is lost', async () => {
  const vm = await machine();
  vm.setUp((L) => {
    const deep = (): number => 1 + deep();
    vm.pushFunction(L, deep);
    vm.lua.lua_setglobal(L, vm.cstring('deep'));
  });
  expect(() => run(vm, 'pcall(deep)')).toThrow(RangeError);
});

test('set-up code that fails is told as a fault of ours', async () => {
  const vm = await machine();
  expect(() => vm.setUp((L) => vm.raise(L, 'no such thing'))).toThrow('could not be set up: no such thing');
});
