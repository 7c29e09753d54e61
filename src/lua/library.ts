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

  /** Pushes the value of a Lua expression. */
  push(expression: string): void {
    this.#load(`return ${expression}`);
    this.#vm.lua.lua_callk(this.#L, 0, 1, 0, 0);
  }

  /** The C function that a Lua expression gives. */
  original(expression: string): HostFunction {
    this.push(expression);
    const fn = this.#vm.tableFunction(this.#vm.lua.lua_tocfunction(this.#L, -1));
    this.#vm.lua.lua_settop(this.#L, -2);
    return fn;
  }

  /** @param table an expression: the name of a library, or whatever else gives a table */
  set(table: string, name: string, fn: HostFunction | null): void {
    this.#assign(table, name, () => {
      if (fn === null) this.#vm.lua.lua_pushnil(this.#L);
      else this.#vm.pushFunction(this.#L, fn);
    });
  }

  #assign(table: string, name: string, push: () => void): void {
    const { lua } = this.#vm;
    this.push(table);
    push();
    lua.lua_setfield(this.#L, -2, this.#vm.cstring(name));
    lua.lua_settop(this.#L, -2);
  }

  /** Puts a function in front of the one that is there, which it calls in the same frame: errors and positions stay as they were. */
  wrap(table: string, name: string, make: (original: HostFunction) => HostFunction): void {
    this.set(table, name, make(this.original(`${table}.${name}`)));
  }

  /** As {@link wrap}, with a function of another wasm instance in the place of a host function. */
  wrapInWasm(table: string, name: string, make: (original: HostFunction) => unknown): void {
    const index = this.#vm.registerWasm(make(this.original(`${table}.${name}`)));
    this.#assign(table, name, () => this.#vm.lua.lua_pushcclosure(this.#L, index, 0));
  }

  /** Removes some functions, or the whole library, also from `package.loaded`. */
  remove(library: string, names: readonly string[] | true): void {
    if (names === true) this.run(`local name = ... _G[name], package.loaded[name] = nil, nil`, library);
    else for (const name of names) this.set(library, name, null);
  }

  /** Runs set-up code written in Lua. */
  run(source: string, argument?: string): void {
    this.#load(source);
    if (argument === undefined) this.#vm.lua.lua_pushnil(this.#L);
    else this.#vm.pushText(this.#L, argument);
    this.#vm.lua.lua_callk(this.#L, 1, 0, 0, 0);
  }

  #load(source: string): void {
    if (this.#vm.load(this.#L, Buffer.from(source), '=stdlib') !== STATUS.ok)
      throw new Error(this.#vm.text(this.#L, -1));
  }
}
