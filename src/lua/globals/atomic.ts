import { LlmspellError } from '../../errors.js';
import { MULTIPLE_RESULTS, type Pointer, TYPE } from '../api.js';
import { Transaction } from '../transaction.js';
import type { HostFunction, LuaVm } from '../vm.js';
import type { StateFunctions } from './state.js';

/** How often a transaction or an update is tried again because others changed what it read. */
const MOST_ATTEMPTS = 100;

/** What runs a function of the script in between: `State.update` and `State.transaction`. The function may be called several times. */
export const atomicFunctions = (vm: LuaVm, state: StateFunctions): Record<string, HostFunction> => ({
  update: (L) => update(vm, state, L),
  transaction: (L) => transaction(vm, state, L),
});

function update({ lua }: LuaVm, state: StateFunctions, L: Pointer): number {
  const place = state.place(L, 3);
  lua.luaL_checktype(L, place.next, TYPE.function);
  // Copies: the function that is called may do anything to the memory under them.
  const scope = place.scope.slice();
  const key = place.key.slice();
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const old = state.port.read(scope, key);
    lua.lua_settop(L, place.next);
    lua.lua_pushvalue(L, place.next);
    if (old === undefined) lua.lua_pushnil(L);
    else state.decoder.push(L, old.value);
    lua.lua_callk(L, 1, 1, 0, 0);
    const value = state.arguments.absent(L, -1) ? null : state.encoder.encode(L, place.next + 1).slice();
    if (state.port.commit([{ scope, key, seq: old?.seq ?? 0 }], [{ scope, key, value }])) return 1;
  }
  throw contended('update');
}

function transaction({ lua }: LuaVm, state: StateFunctions, L: Pointer): number {
  lua.luaL_checktype(L, 1, TYPE.function);
  const outer = state.port;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const inner = new Transaction(outer);
    lua.lua_settop(L, 1);
    lua.lua_pushvalue(L, 1);
    state.port = inner;
    try {
      lua.lua_callk(L, 0, MULTIPLE_RESULTS, 0, 0);
    } finally {
      state.port = outer;
    }
    if (inner.end()) return lua.lua_gettop(L) - 1;
  }
  throw contended('transaction');
}

const contended = (name: string): LlmspellError =>
  new LlmspellError(
    'STATE_UNAVAILABLE',
    `State.${name} gave up after ${MOST_ATTEMPTS} attempts: what it reads is changed again and again meanwhile.`,
    { hint: 'Do less in one go, and do not change the same key in another way inside it.' },
  );
