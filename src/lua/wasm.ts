/** The part of the WebAssembly JavaScript API that we use; neither TypeScript's ES library nor Node's types declare it. */
export type WasmModule = object & { readonly __wasmModule?: never };

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

export interface WasmTable {
  get(index: number): unknown;
  grow(by: number): number;
  set(index: number, fn: unknown): void;
}

interface WasmInstance {
  readonly exports: Record<string, unknown>;
}

interface WebAssemblyApi {
  Module: new (bytes: Uint8Array) => WasmModule;
  Instance: new (module: WasmModule, imports: object) => WasmInstance;
  RuntimeError: new () => Error;
  compile(bytes: Uint8Array): Promise<WasmModule>;
  instantiate(source: unknown, imports: unknown): Promise<{ module: WasmModule; instance: WasmInstance }>;
}

export const webAssembly = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;

const MAGIC = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1];
const IMPORT_AND_EXPORT = [2, 7, 1, 1, 0x65, 1, 0x66, 0, 0, 7, 5, 1, 1, 0x66, 0, 0];

/**
 * (module (type (func (param i32 …) (result …))) (import "e" "f" (func (type 0))) (export "f" (func 0))): makes a JavaScript function one
 * that a wasm table takes.
 */
const adapter = (type: number[]): WasmModule =>
  new webAssembly.Module(Buffer.from([MAGIC, type.length + 1, 1, type, IMPORT_AND_EXPORT].flat()));

let functionAdapter: WasmModule | undefined;

/** `lua_CFunction`. */
export function asWasmFunction(f: (L: number) => number): unknown {
  functionAdapter ??= adapter([0x60, 1, 0x7f, 1, 0x7f]);
  return new webAssembly.Instance(functionAdapter, { e: { f } }).exports.f;
}

/** `lua_Hook`. */
export const asWasmHook = (f: (L: number) => void): unknown =>
  new webAssembly.Instance(adapter([0x60, 2, 0x7f, 0x7f, 0]), { e: { f } }).exports.f;

/** `lua_pushinteger` and `lua_rawseti` for integers of 32 bits: making a BigInt of one takes longer than all else. */
export interface SmallIntegers {
  pushInteger(L: number, n: number): void;
  setInteger(L: number, table: number, n: number): void;
}

/**
 * (func (export "pushInteger") (param i32 i32) (call $push (local.get 0) (i64.extend_i32_s (local.get 1)))) and the same of three parameters, the last of
 * which is widened, as "setInteger"; $push and $set imported as `e.p` and `e.s`.
 */
const SMALL_INTEGERS = [
  [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  [
    1, 23, 4, 0x60, 2, 0x7f, 0x7e, 0, 0x60, 2, 0x7f, 0x7f, 0, 0x60, 3, 0x7f, 0x7f, 0x7e, 0, 0x60, 3, 0x7f, 0x7f, 0x7f,
    0,
  ],
  [2, 13, 2, 1, 0x65, 1, 0x70, 0, 0, 1, 0x65, 1, 0x73, 0, 2],
  [3, 3, 2, 1, 3],
  [7, 28, 2, 11, ...Buffer.from('pushInteger'), 0, 2, 10, ...Buffer.from('setInteger'), 0, 3],
  [10, 23, 2, 9, 0, 0x20, 0, 0x20, 1, 0xac, 0x10, 0, 0x0b, 11, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0xac, 0x10, 1, 0x0b],
].flat();

let smallIntegersModule: WasmModule | undefined;

export function smallIntegers(push: unknown, set: unknown): SmallIntegers {
  smallIntegersModule ??= new webAssembly.Module(Buffer.from(SMALL_INTEGERS));
  return new webAssembly.Instance(smallIntegersModule, { e: { p: push, s: set } }).exports as unknown as SmallIntegers;
}

/**
 * (func (param $L i32) (result i32) (local $n i32) (local.set $n (call $f (local.get $L))) (if (i32.eq (local.get $n) (i32.const 3)) (then (call $g
 * (local.get $L)))) (local.get $n)), with $f and $g imported as `e.f` and `e.g`.
 */
const FAILURE_CHECK = [
  [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  [1, 10, 2, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 1, 0x7f, 0],
  [2, 13, 2, 1, 0x65, 1, 0x66, 0, 0, 1, 0x65, 1, 0x67, 0, 1],
  [3, 2, 1, 0],
  [7, 5, 1, 1, 0x66, 0, 2],
  [
    10, 24, 1, 22, 1, 1, 0x7f, 0x20, 0, 0x10, 0, 0x22, 1, 0x41, 3, 0x46, 0x04, 0x40, 0x20, 0, 0x10, 1, 0x0b, 0x20, 1,
    0x0b,
  ],
].flat();

let failureCheck: WasmModule | undefined;

/** The `lua_CFunction` `f`, after which `failed` is called where it has three results, as C functions have that tell a failure. Costs next to nothing else. */
export function withFailureCheck(f: unknown, failed: (L: number) => void): unknown {
  failureCheck ??= new webAssembly.Module(Buffer.from(FAILURE_CHECK));
  return new webAssembly.Instance(failureCheck, { e: { f, g: failed } }).exports.f;
}
