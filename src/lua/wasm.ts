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
