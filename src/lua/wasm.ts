/** The part of the WebAssembly JavaScript API that we use; neither TypeScript's ES library nor Node's types declare it. */
export type WasmModule = object & { readonly __wasmModule?: never };

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
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
