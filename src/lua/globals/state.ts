import type { ListRange, StatePort } from '../../channel/protocol.js';
import type { MachineLimits } from '../../channel/start.js';
import { LlmspellError } from '../../errors.js';
import { type Bytes, utf8 } from '../../util/bytes.js';
import { MULTIPLE_RESULTS, type Pointer, TYPE, upvalue } from '../api.js';
import { ValueDecoder } from '../decode.js';
import { EncodeError, ValueEncoder } from '../encode.js';
import { Transaction } from '../transaction.js';
import type { HostFunction, LuaVm } from '../vm.js';
import { Arguments } from './arguments.js';
import { namedCalls } from './calls.js';

const GLOBAL_SCOPE = utf8('global');
/** How often a transaction or an update is tried again because others changed what it read. */
const MOST_ATTEMPTS = 100;

export interface StateOptions {
  port: StatePort;
  limits: MachineLimits;
  /** The operations beyond the basic ones: fields of `State` that the host answers. */
  calls: readonly string[];
  /** Where the host's events during such an operation go. */
  onEvent(listener: (event: Bytes) => void): void;
}

/** Sets the global `State`. Its functions are registered in a fixed order. */
export function installState(vm: LuaVm, L: Pointer, options: StateOptions): void {
  const globals = new StateFunctions(vm, options);
  const { lua } = vm;
  lua.lua_createtable(L, 0, 48);
  for (const [name, fn] of Object.entries(globals.table())) setFunction(vm, L, name, fn);
  for (const [name, fn] of namedCalls(vm, globals, options)) setFunction(vm, L, name, fn);
  lua.lua_setglobal(L, vm.cstring('State'));
}

function setFunction(vm: LuaVm, L: Pointer, names: string, fn: HostFunction): void {
  const index = vm.register(fn);
  for (const name of names.split(' ')) {
    vm.lua.lua_pushcclosure(L, index, 0);
    vm.lua.lua_setfield(L, -2, vm.cstring(name));
  }
}

/** Scope and key of a call, views into the VM's memory, and the index of the argument after them. */
interface Place {
  scope: Bytes;
  key: Bytes;
  next: number;
}

/**
 * The functions of the `State` table. They hold nothing of the script between calls but the port, which is a transaction while one is under way.
 */
export class StateFunctions {
  readonly #vm: LuaVm;
  readonly arguments: Arguments;
  readonly encoder: ValueEncoder;
  readonly decoder: ValueDecoder;
  port: StatePort;
  readonly #viewFunctions: Readonly<Record<string, number>>;

  constructor(vm: LuaVm, { port, limits }: StateOptions) {
    this.#vm = vm;
    this.port = port;
    this.arguments = new Arguments(vm);
    this.encoder = new ValueEncoder(vm, limits);
    this.decoder = new ValueDecoder(vm);
    const view = (L: Pointer) => vm.lua.lua_tonumberx(L, upvalue(1), 0);
    this.#viewFunctions = {
      get: vm.register((L) => this.#get(L, view(L))),
      has: vm.register((L) => this.#has(L, view(L))),
      list: vm.register((L) => this.#list(L, view(L))),
      scopes: vm.register((L) => this.#scopes(L, view(L))),
    };
  }

  /** By name; several names of one function are separated by blanks. */
  table(): Record<string, HostFunction> {
    return {
      'get load': (L) => this.#get(L),
      'set save': (L) => this.#set(L, () => this.#place(L, 3)),
      has: (L) => this.#has(L),
      delete: (L) => this.#delete(L),
      'list list_keys': (L) => this.#list(L),
      scopes: (L) => this.#scopes(L),
      clear: (L) => this.#clear(L),
      flush: () => this.#flush(),
      increment: (L) => this.#increment(L),
      update: (L) => this.#update(L),
      transaction: (L) => this.#transaction(L),
      history: (L) => this.#history(L),
      at: (L) => this.#at(L),
      agent_get: (L) => this.#getAt(L, this.#owned(L, 'agent:')),
      agent_set: (L) => this.#set(L, () => this.#owned(L, 'agent:')),
      tool_get: (L) => this.#getAt(L, this.#owned(L, 'tool:')),
      tool_set: (L) => this.#set(L, () => this.#owned(L, 'tool:')),
      workflow_get: (L) => this.#getAt(L, this.#owned(L, 'workflow:')),
      workflow_set: (L) => this.#set(L, () => this.#owned(L, 'workflow:')),
      workflow_list: (L) => this.#listScope(L, this.#ownScope(L, 'workflow:'), 2),
    };
  }

  /** `(scope, key, …)` where at least `full` arguments came, else `(key, …)` in the global scope. */
  #place(L: Pointer, full: number): Place {
    const args = this.arguments;
    if (args.count(L) >= full) return this.#pair(L, () => args.name(L, 1, 'scope'));
    return { scope: GLOBAL_SCOPE, key: args.name(L, 1, 'key'), next: 2 };
  }

  #ownScope(L: Pointer, prefix: string): Bytes {
    return Buffer.concat([Buffer.from(prefix), this.arguments.name(L, 1, 'id')]);
  }

  #owned(L: Pointer, prefix: string): Place {
    return this.#pair(L, () => this.#ownScope(L, prefix));
  }

  /** Scope, then the key at 2. A number becomes a string in place, which may move the memory: then the scope is taken again. */
  #pair(L: Pointer, takeScope: () => Bytes): Place {
    const scope = takeScope();
    const key = this.arguments.name(L, 2, 'key');
    return { scope: scope.length > 0 ? scope : takeScope(), key, next: 3 };
  }

  #get(L: Pointer, view?: number): number {
    return this.#getAt(L, this.#place(L, 2), view);
  }

  #getAt(L: Pointer, { scope, key, next }: Place, view?: number): number {
    const value = this.port.get(scope, key, view);
    if (value !== undefined) this.decoder.push(L, value);
    else this.#vm.lua.lua_settop(L, next);
    return 1;
  }

  #set(L: Pointer, place: () => Place): number {
    const { scope, key, next } = place();
    this.#vm.lua.luaL_checkany(L, next);
    if (this.arguments.absent(L, next)) {
      this.port.set(scope, key, null);
      return 0;
    }
    const value = this.encode(L, next);
    // A deep value makes Lua's stack grow, and with it perhaps the memory: then the views of the names are gone.
    const at = scope.length === 0 || key.length === 0 ? place() : { scope, key };
    this.port.set(at.scope, at.key, value);
    return 0;
  }

  #has(L: Pointer, view?: number): number {
    const { scope, key } = this.#place(L, 2);
    this.#vm.lua.lua_pushboolean(L, this.port.has(scope, key, view) ? 1 : 0);
    return 1;
  }

  #delete(L: Pointer): number {
    const { scope, key } = this.#place(L, 2);
    this.#vm.lua.lua_pushboolean(L, this.port.delete(scope, key) ? 1 : 0);
    return 1;
  }

  #list(L: Pointer, view?: number): number {
    const scope = this.arguments.absent(L, 1) ? GLOBAL_SCOPE : this.arguments.name(L, 1, 'scope');
    return this.#listScope(L, scope, 2, view);
  }

  #listScope(L: Pointer, scope: Bytes, optionsAt: number, view?: number): number {
    const args = this.arguments;
    const range: ListRange = {};
    args.options(L, optionsAt, {
      prefix: () => {
        range.prefix = args.optionText(L, optionsAt, 'prefix');
      },
      after: () => {
        range.after = args.optionText(L, optionsAt, 'after');
      },
      limit: () => {
        range.limit = args.optionCount(L, optionsAt, 'limit');
      },
    });
    return this.#pushNames(L, range.limit === 0 ? [] : this.port.list(scope, range, view));
  }

  #scopes(L: Pointer, view?: number): number {
    return this.#pushNames(L, this.port.scopes(view));
  }

  #pushNames(L: Pointer, names: readonly Bytes[]): number {
    this.#vm.lua.lua_createtable(L, names.length, 0);
    names.forEach((name, i) => {
      this.#vm.pushBytes(L, name);
      this.#vm.lua.lua_rawseti(L, -2, BigInt(i + 1));
    });
    return 1;
  }

  #clear(L: Pointer): number {
    this.#vm.lua.lua_pushinteger(L, BigInt(this.port.clear(this.arguments.name(L, 1, 'scope'))));
    return 1;
  }

  #flush(): number {
    this.port.flush();
    return 0;
  }

  #increment(L: Pointer): number {
    const { lua } = this.#vm;
    const { scope, key, next } = this.#place(L, 2);
    if (this.arguments.absent(L, next)) {
      lua.lua_settop(L, next - 1);
      lua.lua_pushinteger(L, 1n);
    }
    lua.luaL_checktype(L, next, TYPE.number);
    this.decoder.push(L, this.port.increment(scope, key, this.encode(L, next)));
    return 1;
  }

  #update(L: Pointer): number {
    const { lua } = this.#vm;
    const place = this.#place(L, 3);
    lua.luaL_checktype(L, place.next, TYPE.function);
    lua.lua_settop(L, place.next);
    // Copies: the function that is called may do anything to the memory under them.
    const scope = place.scope.slice();
    const key = place.key.slice();
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const old = this.port.read(scope, key);
      lua.lua_settop(L, place.next);
      lua.lua_pushvalue(L, place.next);
      if (old === undefined) lua.lua_pushnil(L);
      else this.decoder.push(L, old.value);
      lua.lua_callk(L, 1, 1, 0, 0);
      const value = this.arguments.absent(L, -1) ? null : this.encodeResult(L);
      if (this.port.commit([{ scope, key, seq: old?.seq ?? 0 }], [{ scope, key, value }])) return 1;
    }
    throw contended('update');
  }

  #transaction(L: Pointer): number {
    const { lua } = this.#vm;
    lua.luaL_checktype(L, 1, TYPE.function);
    const outer = this.port;
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const transaction = new Transaction(outer);
      lua.lua_settop(L, 1);
      lua.lua_pushvalue(L, 1);
      this.port = transaction;
      try {
        lua.lua_callk(L, 0, MULTIPLE_RESULTS, 0, 0);
      } finally {
        this.port = outer;
      }
      if (transaction.end()) return lua.lua_gettop(L) - 1;
    }
    throw contended('transaction');
  }

  #history(L: Pointer): number {
    const args = this.arguments;
    const { lua } = this.#vm;
    // A table as the second argument is the options of the short form.
    const { scope, key, next } = this.#place(L, lua.lua_type(L, 2) === TYPE.table ? 3 : 2);
    let limit: number | undefined;
    args.options(L, next, {
      limit: () => {
        limit = args.optionCount(L, next, 'limit');
      },
    });
    if (limit === 0) lua.lua_createtable(L, 0, 0);
    else this.decoder.push(L, this.port.history(scope, key, limit));
    return 1;
  }

  /** A table with the reading functions, each with the view's number as its upvalue. */
  #at(L: Pointer): number {
    const { lua } = this.#vm;
    const type = lua.lua_type(L, 1);
    if (type !== TYPE.number && type !== TYPE.string) lua.luaL_typeerror(L, 1, this.#vm.cstring('time or backup id'));
    const view = this.port.at(this.encode(L, 1));
    lua.lua_createtable(L, 0, 4);
    for (const [name, fn] of Object.entries(this.#viewFunctions)) {
      lua.lua_pushinteger(L, BigInt(view));
      lua.lua_pushcclosure(L, fn, 1);
      lua.lua_setfield(L, -2, this.#vm.cstring(name));
    }
    return 1;
  }

  /** The argument's bytes; raises at the caller, naming the path, where it cannot be stored. */
  encode(L: Pointer, index: number): Bytes {
    try {
      return this.encoder.encode(L, index);
    } catch (error) {
      if (error instanceof EncodeError) this.arguments.refuse(L, index, error.message);
      throw error;
    }
  }

  /** What a function returned, on top of the stack. */
  encodeResult = (L: Pointer): Bytes => this.encoder.encode(L, this.#vm.lua.lua_gettop(L)).slice();
}

const contended = (name: string): LlmspellError =>
  new LlmspellError(
    'STATE_UNAVAILABLE',
    `State.${name} gave up after ${MOST_ATTEMPTS} attempts: what it reads is changed again and again meanwhile.`,
    { hint: 'Do less in one go, and do not change the same key in another way inside it.' },
  );
