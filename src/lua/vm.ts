import { LlmspellError } from '../errors.js';
import { copyBytes, utf8 } from '../util/bytes.js';
import type { LuaApi, Pointer } from './api.js';
import { MULTIPLE_RESULTS, REGISTRY, STATUS } from './api.js';
import { asWasmFunction, asWasmHook, type SmallIntegers, smallIntegers, webAssembly } from './wasm.js';

/** What the wasm module imports, by module (`env`, `wasi_snapshot_preview1`) and name: numbers in, a number or nothing out. */
export type VmImports = Record<string, Record<string, (...args: never[]) => unknown>>;

/**
 * Replaces imports before the module is instantiated. `vm` is not usable yet: a replacement keeps it, and uses it when it is called.
 * A replacement that must end the script throws an {@link Unwind}; every other exception would be a fault.
 */
export type ImportPatch = (imports: VmImports, vm: LuaVm) => void;

/** A host function as Lua calls it: arguments on the stack, returns how many results it pushed. */
export type HostFunction = (L: Pointer) => number;

/** Leaves the machine through every `pcall` in the script. The machine is not used again after it. */
export class Unwind extends Error {}

/** `os.exit`. */
export class ScriptExit extends Unwind {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super('exit');
    this.exitCode = exitCode;
  }
}

/** A limit was reached. */
export class LimitReached extends Unwind {
  readonly reason: LlmspellError;
  constructor(reason: LlmspellError) {
    super(reason.message);
    this.reason = reason;
  }
}

const SCRATCH_BYTES = 1024;
const PAGE_BYTES = 64 * 1024;
/** The wasm module's own limit. */
const MOST_MEMORY_BYTES = 2 ** 31;
/** `LUA_MASKCOUNT`. */
const MASK_COUNT = 8;
const KEPT_BUFFER_BYTES = 16 * 1024;

/**
 * One Lua machine in its own wasm instance and memory; the module is wasmoon's, and nothing else of wasmoon is used. All host functions are
 * plain C functions in the function table, registered in the same order on every start, and the machine holds nothing else of
 * the host: that is why its memory can be copied out at a yield and continued in another process.
 */
export class LuaVm {
  lua!: LuaApi;
  small!: SmallIntegers;
  /** The memory as bytes. Growing detaches it without an error: read it again after every call that may allocate. */
  u8!: Uint8Array;
  u32!: Uint32Array;
  /** For numbers in MessagePack's byte order. */
  view!: DataView;
  /** The main thread of the machine. */
  L!: Pointer;
  /** {@link SCRATCH_BYTES} of memory for lengths and short messages; any call may overwrite it. */
  scratch!: Pointer;
  /** What the memory may grow to. */
  maxMemoryBytes = MOST_MEMORY_BYTES;
  readonly #strings = new Map<string, Pointer>();
  #body: HostFunction = () => 0;
  #trampoline = 0;
  readonly #buffers: Pointer[] = [];
  #nesting = 0;

  /** Reaches the instance's memory; done before its C library starts, which already calls the imports. */
  connect(lua: LuaApi): void {
    this.lua = lua;
    this.small = smallIntegers(lua.lua_pushinteger, lua.lua_rawseti);
    this.refresh();
  }

  /** Starts the C library and makes the Lua state. */
  start(): void {
    const { lua } = this;
    lua.emscripten_stack_init();
    lua.__wasm_call_ctors();
    this.scratch = lua.malloc(SCRATCH_BYTES);
    this.L = lua.luaL_newstate();
    this.#trampoline = this.register((L) => this.#body(L));
  }

  /** Takes the views anew; called whenever the memory has grown. */
  refresh(): void {
    this.u8 = new Uint8Array(this.lua.memory.buffer);
    this.u32 = new Uint32Array(this.lua.memory.buffer);
    this.view = new DataView(this.lua.memory.buffer);
  }

  /** Puts a host function into the function table; its index is what `lua_pushcclosure` takes. */
  register(fn: HostFunction): number {
    return this.registerWasm(asWasmFunction((L: Pointer) => this.#guard(fn, L)));
  }

  /** The same for a function of a wasm instance. */
  registerWasm(wasmFunction: unknown): number {
    const table = this.lua.__indirect_function_table;
    const index = table.grow(1);
    table.set(index, wasmFunction);
    return index;
  }

  /** A C function of the machine by its index in the function table: calls it in the frame of the function that calls this. */
  tableFunction(index: number): HostFunction {
    return this.lua.__indirect_function_table.get(index) as HostFunction;
  }

  /** Makes the memory at least `size` bytes large; false, and nothing changed, where that is above the limit. */
  grow(size: number): boolean {
    const { memory } = this.lua;
    const present = memory.buffer.byteLength;
    if (size > this.maxMemoryBytes) return false;
    // Growing copies nothing but costs a system call and new views: take a fifth more than is asked for.
    const wanted = Math.min(Math.max(size, present * 1.2), this.maxMemoryBytes);
    const pages = Math.floor(wanted / PAGE_BYTES) - present / PAGE_BYTES;
    try {
      memory.grow(Math.max(pages, Math.ceil((size - present) / PAGE_BYTES)));
      this.refresh();
      return true;
    } catch {
      return false;
    }
  }

  /** Has `hook` called after every `count` instructions of the main coroutine and of those that it makes (`lua_sethook`). */
  setCountHook(count: number, hook: () => void): void {
    this.lua.lua_sethook(this.L, this.registerHook(hook), MASK_COUNT, count);
  }

  /** Puts a hook into the function table; its index is what `lua_sethook` takes. What it raises is raised by the code that it interrupts. */
  registerHook(hook: (L: Pointer) => void): number {
    const guarded: HostFunction = (L) => {
      hook(L);
      return 0;
    };
    return this.registerWasm(asWasmHook((L) => void this.#guard(guarded, L)));
  }

  /** Registers and pushes. */
  pushFunction(L: Pointer, fn: HostFunction): void {
    this.lua.lua_pushcclosure(L, this.register(fn), 0);
  }

  /**
   * Runs `body` inside a protected call and returns its status; with results (or the error) left on the stack. Whatever pushes strings or
   * tables, or calls Lua, must run in here: outside, an error in Lua aborts the machine.
   */
  protect(body: HostFunction, results = MULTIPLE_RESULTS): number {
    const before = this.#body;
    this.#body = (L) => {
      this.#body = before;
      return body(L);
    };
    this.lua.lua_pushcclosure(this.L, this.#trampoline, 0);
    return this.lua.lua_pcallk(this.L, 0, results, 0, 0, 0);
  }

  /** As {@link protect}, but a Lua error is thrown as `INTERNAL`: for set-up code, where none is expected. */
  setUp(body: (L: Pointer) => void): void {
    const status = this.protect((L) => {
      body(L);
      return 0;
    }, 0);
    if (status === STATUS.ok) return;
    const message = this.text(this.L, -1);
    throw new LlmspellError('INTERNAL', `The Lua machine could not be set up: ${message}.`);
  }

  /** The address of a NUL-terminated copy that lives as long as the machine: for names, not for data. */
  cstring(text: string): Pointer {
    let at = this.#strings.get(text);
    if (at === undefined) {
      const bytes = utf8(`${text}\0`);
      at = this.#allocate(bytes.length);
      this.u8.set(bytes, at);
      this.#strings.set(text, at);
    }
    return at;
  }

  /** A NUL-terminated copy in {@link scratch}, cut to fit: for messages that Lua copies at once. */
  message(text: string): Pointer {
    const bytes = utf8(text).subarray(0, SCRATCH_BYTES - 1);
    this.u8.set(bytes, this.scratch);
    this.u8[this.scratch + bytes.length] = 0;
    return this.scratch;
  }

  /**
   * Calls `use` with the address of a copy of `bytes`. Lua code may run meanwhile (finalizers do, whenever something is allocated) and
   * come here again: each level of nesting has a buffer of its own.
   */
  withCopy<T>(bytes: Uint8Array, use: (at: Pointer) => T): T {
    const kept = bytes.length <= KEPT_BUFFER_BYTES;
    const at = kept ? this.#keptBuffer() : this.#allocate(bytes.length);
    copyBytes(bytes, 0, bytes.length, this.u8, at);
    this.#nesting++;
    try {
      return use(at);
    } finally {
      this.#nesting--;
      if (!kept) this.lua.free(at);
    }
  }

  #keptBuffer(): Pointer {
    this.#buffers[this.#nesting] ??= this.#allocate(KEPT_BUFFER_BYTES);
    return this.#buffers[this.#nesting]!;
  }

  #allocate(size: number): Pointer {
    const at = this.lua.malloc(size);
    if (at === 0) throw new NotEnoughMemory();
    return at;
  }

  /** Pushes a byte string. Inside protected calls only. */
  pushBytes(L: Pointer, bytes: Uint8Array): void {
    this.withCopy(bytes, (at) => this.lua.lua_pushlstring(L, at, bytes.length));
  }

  /** Loads a text chunk: pushes its function, or a message, and returns the status. */
  load(L: Pointer, source: Uint8Array, name: string): number {
    return this.withCopy(source, (at) =>
      this.lua.luaL_loadbufferx(L, at, source.length, this.cstring(name), this.cstring('t')),
    );
  }

  /** Runs set-up code written in Lua and keeps its result in the registry; returns the reference for `lua_rawgeti`. */
  keep(source: string): number {
    let reference = 0;
    this.setUp((L) => {
      if (this.load(L, utf8(source), '=llmspell') !== STATUS.ok) throw new Error(this.text(L, -1));
      this.lua.lua_callk(L, 0, 1, 0, 0);
      reference = this.lua.luaL_ref(L, REGISTRY);
    });
    return reference;
  }

  pushText(L: Pointer, text: string): void {
    this.pushBytes(L, utf8(text));
  }

  /** A copy of the string (or number) at `index`. A number there becomes a string in place, as `lua_tolstring` has it. */
  bytes(L: Pointer, index: number): Uint8Array {
    const at = this.lua.lua_tolstring(L, index, this.scratch);
    return at === 0 ? new Uint8Array() : this.u8.slice(at, at + this.u32[this.scratch >> 2]!);
  }

  /** The string argument of a host function as C functions see it: up to the first NUL. Raises Lua's error where it is none. */
  checkCString(L: Pointer, argument: number): Uint8Array {
    const at = this.lua.luaL_checklstring(L, argument, 0);
    return this.u8.slice(at, this.u8.indexOf(0, at));
  }

  /** The same as text; bytes that are not UTF-8 become U+FFFD. */
  text(L: Pointer, index: number): string {
    return new TextDecoder().decode(this.bytes(L, index));
  }

  /** Raises a Lua error with the position of the function that called the host function. */
  raise(L: Pointer, message: string): number {
    this.lua.luaL_where(L, 1);
    this.pushText(L, message);
    this.lua.lua_concat(L, 2);
    return this.lua.lua_error(L);
  }

  // A Lua error travels through here as a thrown number and goes on; an Unwind passes every pcall because the glue lets objects through.
  #guard(fn: HostFunction, L: Pointer): number {
    try {
      return fn(L);
    } catch (error) {
      return this.#toLuaError(L, error);
    }
  }

  #toLuaError(L: Pointer, error: unknown): number {
    if (typeof error === 'number' || error instanceof Unwind || isTrap(error)) throw error;
    // Lua's own memory error; its API raises it only where more is asked for than there can be.
    if (error instanceof NotEnoughMemory) return this.lua.lua_newuserdatauv(L, MOST_MEMORY_BYTES, 0);
    try {
      return this.raise(L, error instanceof Error ? error.message : String(error));
    } catch (second) {
      return this.#toLuaError(L, second);
    }
  }
}

/** Thrown inside a host function where the memory does not suffice; Lua sees its own `not enough memory`. */
export class NotEnoughMemory extends Error {
  constructor() {
    super('not enough memory');
  }
}

/** The machine itself broke: a wasm trap, or the thread's own stack at its end somewhere inside it. It cannot go on. */
const isTrap = (error: unknown): boolean =>
  error instanceof webAssembly.RuntimeError || (error instanceof RangeError && /call stack/.test(error.message));
