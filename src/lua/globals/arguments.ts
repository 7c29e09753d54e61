import type { Bytes } from '../../util/bytes.js';
import { Views } from '../../util/views.js';
import { type Pointer, TYPE } from '../api.js';
import type { LuaVm } from '../vm.js';

/** Reads the arguments of a host function, and raises what Lua itself raises where they do not fit. */
export class Arguments {
  readonly #vm: LuaVm;
  readonly #views = new Views();

  constructor(vm: LuaVm) {
    this.#vm = vm;
  }

  count = (L: Pointer): number => this.#vm.lua.lua_gettop(L);

  absent = (L: Pointer, index: number): boolean => this.#vm.lua.lua_type(L, index) <= TYPE.nil;

  /** A string (or number) that is not empty, as a view into the VM's memory: good until Lua allocates. */
  name(L: Pointer, index: number, what: string): Bytes {
    const vm = this.#vm;
    const at = vm.lua.luaL_checklstring(L, index, vm.scratch);
    const length = vm.u32[vm.scratch >> 2]!;
    if (length === 0) this.refuse(L, index, `${what} must not be empty`);
    return this.#views.of(vm.u8, at, length);
  }

  /** `bad argument #index to 'function' (why)`. */
  refuse(L: Pointer, index: number, why: string): never {
    this.#vm.lua.luaL_argerror(L, index, this.#vm.message(why));
    throw new Error('luaL_argerror returned');
  }

  /** A whole number of at least `least`. */
  wholeNumber(L: Pointer, index: number, least: number): number {
    const n = Number(this.#vm.lua.luaL_checkinteger(L, index));
    if (n < least) this.refuse(L, index, `a number of at least ${least} expected`);
    return n;
  }

  /** Calls `field` for each entry of an optional table of options, with the value on top of the stack. Other names are refused. */
  options(L: Pointer, index: number, fields: Readonly<Record<string, (at: number) => void>>): void {
    const { lua } = this.#vm;
    if (this.absent(L, index)) return;
    lua.luaL_checktype(L, index, TYPE.table);
    lua.lua_pushnil(L);
    while (lua.lua_next(L, index) !== 0) {
      // Only a string is read as one: converting a number in place would confuse lua_next.
      const name = lua.lua_type(L, -2) === TYPE.string ? this.#vm.text(L, -2) : '';
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (field === undefined)
        this.refuse(L, index, `unknown option '${name}'; the options are ${Object.keys(fields).join(', ')}`);
      field(lua.lua_gettop(L));
      lua.lua_settop(L, -2);
    }
  }

  /** The string at `index` as a copy; raises where an option's value is none. */
  optionText(L: Pointer, table: number, name: string): Bytes {
    if (this.#vm.lua.lua_type(L, -1) !== TYPE.string) this.refuse(L, table, `option '${name}' must be a string`);
    return this.#vm.bytes(L, -1);
  }

  optionCount(L: Pointer, table: number, name: string): number {
    const { lua } = this.#vm;
    const n = lua.lua_isinteger(L, -1) !== 0 ? lua.lua_tonumberx(L, -1, 0) : -1;
    if (n < 0) this.refuse(L, table, `option '${name}' must be a whole number of at least 0`);
    return n;
  }
}
