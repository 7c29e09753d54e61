import { type Pointer, TYPE, upvalue } from '../api.js';
import type { HostFunction, LuaVm } from '../vm.js';
import type { StateFunctions } from './state.js';

/** `State.history` and `State.at`. */
export function pastFunctions(vm: LuaVm, state: StateFunctions): Record<string, HostFunction> {
  const view = (L: Pointer) => vm.lua.lua_tonumberx(L, upvalue(1), 0);
  const ofView = {
    get: vm.register((L) => state.get(L, view(L))),
    has: vm.register((L) => state.has(L, view(L))),
    list: vm.register((L) => state.list(L, view(L))),
    scopes: vm.register((L) => state.scopes(L, view(L))),
  };
  return {
    history: (L) => history(vm, state, L),
    at: (L) => at(vm, state, L, ofView),
  };
}

function history({ lua }: LuaVm, state: StateFunctions, L: Pointer): number {
  const args = state.arguments;
  // A table as the second argument is the options of the short form.
  const { scope, key, next } = state.place(L, lua.lua_type(L, 2) === TYPE.table ? 3 : 2);
  let limit: number | undefined;
  args.options(L, next, {
    limit: () => {
      limit = args.optionCount(L, next, 'limit');
    },
  });
  if (limit === 0) lua.lua_createtable(L, 0, 0);
  else state.decoder.push(L, state.port.history(scope, key, limit));
  return 1;
}

/** A table with the reading functions, each with the view's number as its upvalue. */
function at(vm: LuaVm, state: StateFunctions, L: Pointer, functions: Readonly<Record<string, number>>): number {
  const { lua } = vm;
  const type = lua.lua_type(L, 1);
  if (type !== TYPE.number && type !== TYPE.string) lua.luaL_typeerror(L, 1, vm.cstring('time or backup id'));
  const view = state.port.at(state.encode(L, 1));
  lua.lua_createtable(L, 0, 4);
  for (const [name, fn] of Object.entries(functions)) {
    lua.lua_pushinteger(L, BigInt(view));
    lua.lua_pushcclosure(L, fn, 1);
    lua.lua_setfield(L, -2, vm.cstring(name));
  }
  return 1;
}
