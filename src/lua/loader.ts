import type { LuaApi } from './api.js';
import { runtime } from './c-runtime.js';
import { calendar } from './calendar.js';
import { luaModule } from './module.js';
import { type ImportPatch, LuaVm, type VmImports } from './vm.js';
import { webAssembly } from './wasm.js';

/** A fresh machine in an instance of its own, with a bare state: no libraries, no globals. The patches run in order. */
export function createVm(patches: readonly ImportPatch[]): LuaVm {
  const vm = new LuaVm();
  const imports: VmImports = { env: {}, wasi_snapshot_preview1: {} };
  for (const patch of [runtime, calendar, ...patches]) patch(imports, vm);
  vm.connect(new webAssembly.Instance(luaModule(), imports).exports as unknown as LuaApi);
  vm.start();
  return vm;
}
