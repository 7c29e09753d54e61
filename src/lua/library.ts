import { type Pointer, STATUS } from './api.js';
import type { HostFunction, LuaVm } from './vm.js';

/** Takes the loaded libraries apart and puts them together again. */
export class Library {
  readonly #vm: LuaVm;
  readonly #L: Pointer;

  constructor(vm: LuaVm, L: Pointer) {
    this.#vm = vm;
    this.#L = L;
  }

  /** The C function that a library has under a name. */
  original(library: string, name: string): HostFunction {
    const { lua } = this.#vm;
    this.#push(library);
    lua.lua_getfield(this.#L, -1, this.#vm.cstring(name));
    const fn = this.#vm.tableFunction(lua.lua_tocfunction(this.#L, -1));
    lua.lua_settop(this.#L, -3);
    return fn;
  }

  set(library: string, name: string, fn: HostFunction | null): void {
    const { lua } = this.#vm;
    this.#push(library);
    if (fn === null) lua.lua_pushnil(this.#L);
    else this.#vm.pushFunction(this.#L, fn);
    lua.lua_setfield(this.#L, -2, this.#vm.cstring(name));
    lua.lua_settop(this.#L, -2);
  }

  /** Puts a function in front of a library's own, which it calls in the same frame: errors and positions stay as they were. */
  wrap(library: string, name: string, make: (original: HostFunction) => HostFunction): void {
    this.set(library, name, make(this.original(library, name)));
  }

  /** The same for a method of files. */
  wrapMethod(name: string, make: (original: HostFunction) => HostFunction): void {
    const { lua } = this.#vm;
    this.#push('io');
    lua.lua_getfield(this.#L, -1, this.#vm.cstring('stdout'));
    lua.luaL_getmetafield(this.#L, -1, this.#vm.cstring('__index'));
    lua.lua_getfield(this.#L, -1, this.#vm.cstring(name));
    const original = this.#vm.tableFunction(lua.lua_tocfunction(this.#L, -1));
    this.#vm.pushFunction(this.#L, make(original));
    lua.lua_setfield(this.#L, -3, this.#vm.cstring(name));
    lua.lua_settop(this.#L, -5);
  }

  /** Removes some functions, or the whole library, also from `package.loaded`. */
  remove(library: string, names: readonly string[] | true): void {
    if (names === true) this.run(`local name = ... _G[name], package.loaded[name] = nil, nil`, library);
    else for (const name of names) this.set(library, name, null);
  }

  /** Runs set-up code written in Lua. */
  run(source: string, argument?: string): void {
    const vm = this.#vm;
    if (vm.load(this.#L, Buffer.from(source), '=stdlib') !== STATUS.ok) throw new Error(vm.text(this.#L, -1));
    if (argument === undefined) vm.lua.lua_pushnil(this.#L);
    else vm.pushText(this.#L, argument);
    vm.lua.lua_callk(this.#L, 1, 0, 0, 0);
  }

  #push(library: string): void {
    this.#vm.lua.lua_getglobal(this.#L, this.#vm.cstring(library));
  }
}
