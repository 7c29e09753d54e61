import type { WasmMemory, WasmTable } from './wasm.js';

/** A `lua_State *`, or any other address in the VM's linear memory. */
export type Pointer = number;

/**
 * The exports of the wasm module that we call: Lua's own C API (reference manual, section 4.6) with pointers as numbers,
 * `lua_Integer` as BigInt and `lua_Number` as number. Whatever may allocate may also grow the memory: read
 * {@link LuaVm.u8} again after it. Whatever may raise must run inside a protected call.
 */
export interface LuaApi {
  readonly memory: WasmMemory;
  readonly __indirect_function_table: WasmTable;
  malloc(size: number): Pointer;
  realloc(block: Pointer, size: number): Pointer;
  free(block: Pointer): void;
  fflush(file: Pointer): number;
  __wasm_call_ctors(): void;
  emscripten_stack_init(): void;
  /** Where the C stack ends now; it grows downwards from its base. */
  stackSave(): Pointer;
  emscripten_stack_get_base(): Pointer;
  stackRestore(stack: Pointer): void;
  setThrew(threw: number, value: number): void;

  luaL_newstate(): Pointer;
  luaL_openlibs(L: Pointer): void;
  lua_close(L: Pointer): void;
  lua_checkstack(L: Pointer, slots: number): number;
  lua_gettop(L: Pointer): number;
  lua_settop(L: Pointer, index: number): void;
  lua_pushvalue(L: Pointer, index: number): void;
  lua_rotate(L: Pointer, index: number, n: number): void;
  lua_copy(L: Pointer, from: number, to: number): void;
  lua_type(L: Pointer, index: number): number;
  lua_isinteger(L: Pointer, index: number): number;
  lua_toboolean(L: Pointer, index: number): number;
  lua_tonumberx(L: Pointer, index: number, isNumber: Pointer): number;
  lua_tointegerx(L: Pointer, index: number, isInteger: Pointer): bigint;
  lua_tolstring(L: Pointer, index: number, length: Pointer): Pointer;
  lua_topointer(L: Pointer, index: number): Pointer;
  lua_touserdata(L: Pointer, index: number): Pointer;
  /** Pushes the upvalue and returns its name; 0, and nothing pushed, where there is none. */
  lua_getupvalue(L: Pointer, index: number, n: number): Pointer;
  luaL_testudata(L: Pointer, index: number, typeName: Pointer): Pointer;
  lua_tothread(L: Pointer, index: number): Pointer;
  /** The function's index in the function table; 0 where it is no C function. */
  lua_tocfunction(L: Pointer, index: number): number;
  lua_iscfunction(L: Pointer, index: number): number;
  lua_rawlen(L: Pointer, index: number): bigint;
  lua_pushnil(L: Pointer): void;
  lua_pushboolean(L: Pointer, value: number): void;
  lua_pushnumber(L: Pointer, value: number): void;
  lua_pushinteger(L: Pointer, value: bigint): void;
  lua_pushlstring(L: Pointer, bytes: Pointer, length: number): Pointer;
  lua_pushcclosure(L: Pointer, fn: number, upvalues: number): void;
  lua_pushlightuserdata(L: Pointer, value: Pointer): void;
  lua_newuserdatauv(L: Pointer, size: number, userValues: number): Pointer;
  lua_createtable(L: Pointer, arraySize: number, mapSize: number): void;
  lua_getglobal(L: Pointer, name: Pointer): number;
  lua_setglobal(L: Pointer, name: Pointer): void;
  lua_getfield(L: Pointer, index: number, name: Pointer): number;
  lua_setfield(L: Pointer, index: number, name: Pointer): void;
  lua_rawget(L: Pointer, index: number): number;
  lua_rawset(L: Pointer, index: number): void;
  lua_rawgeti(L: Pointer, index: number, n: bigint): number;
  lua_rawseti(L: Pointer, index: number, n: bigint): void;
  lua_rawgetp(L: Pointer, index: number, key: Pointer): number;
  lua_rawsetp(L: Pointer, index: number, key: Pointer): void;
  lua_next(L: Pointer, index: number): number;
  lua_getmetatable(L: Pointer, index: number): number;
  lua_setmetatable(L: Pointer, index: number): number;
  lua_concat(L: Pointer, n: number): void;
  lua_error(L: Pointer): number;
  lua_callk(L: Pointer, args: number, results: number, context: number, continuation: number): void;
  lua_pcallk(L: Pointer, args: number, results: number, handler: number, context: number, continuation: number): number;
  lua_newthread(L: Pointer): Pointer;
  lua_resume(L: Pointer, from: Pointer, args: number, results: Pointer): number;
  lua_sethook(L: Pointer, hook: number, mask: number, count: number): void;
  lua_gethook(L: Pointer): number;
  lua_gethookmask(L: Pointer): number;
  lua_gethookcount(L: Pointer): number;
  lua_getstack(L: Pointer, level: number, activation: Pointer): number;
  lua_getinfo(L: Pointer, what: Pointer, activation: Pointer): number;
  luaL_loadbufferx(L: Pointer, bytes: Pointer, size: number, name: Pointer, mode: Pointer): number;
  luaL_tolstring(L: Pointer, index: number, length: Pointer): Pointer;
  luaL_traceback(L: Pointer, of: Pointer, message: Pointer, level: number): void;
  luaL_where(L: Pointer, level: number): void;
  luaL_argerror(L: Pointer, argument: number, message: Pointer): number;
  luaL_typeerror(L: Pointer, argument: number, typeName: Pointer): number;
  luaL_checkinteger(L: Pointer, argument: number): bigint;
  luaL_checknumber(L: Pointer, argument: number): number;
  luaL_checklstring(L: Pointer, argument: number, length: Pointer): Pointer;
  luaL_checkany(L: Pointer, argument: number): void;
  luaL_checktype(L: Pointer, argument: number, type: number): void;
  /** Calls the metamethod and pushes what it returns; 0, and nothing pushed, where there is none. */
  luaL_callmeta(L: Pointer, index: number, name: Pointer): number;
  luaL_getmetafield(L: Pointer, index: number, name: Pointer): number;
  /** What a C function returns for a system call: `true`, or where `ok` is 0 nil, a message and the error number. */
  luaL_fileresult(L: Pointer, ok: number, path: Pointer): number;
  __errno_location(): Pointer;
  luaL_ref(L: Pointer, table: number): number;
}

/** What `lua_type` returns. */
export const TYPE = {
  none: -1,
  nil: 0,
  boolean: 1,
  lightUserdata: 2,
  number: 3,
  string: 4,
  table: 5,
  function: 6,
  userdata: 7,
  thread: 8,
} as const;

/** As `lua_typename`: the name that Lua's own messages use. */
export function typeName(type: number): string {
  const name = Object.entries(TYPE).find(([, value]) => value === type)?.[0] ?? 'no value';
  return name === 'none' ? 'no value' : name === 'lightUserdata' ? 'userdata' : name;
}

/** What loading, calling and resuming return. */
export const STATUS = { ok: 0, yield: 1, runtime: 2, syntax: 3, memory: 4, handler: 5 } as const;

/** `LUA_REGISTRYINDEX` for `LUAI_MAXSTACK` = 1,000,000. */
export const REGISTRY = -1_001_000;
export const MULTIPLE_RESULTS = -1;

/** The pseudo-index of the running C function's upvalue. */
export const upvalue = (n: number): number => REGISTRY - n;
