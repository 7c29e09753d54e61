import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type WasmModule, webAssembly } from './wasm.js';

let compiled: WasmModule | undefined;

/** wasmoon's wasm module, made at the first call. V8 checks and compiles each of its functions when it is first called. */
export function luaModule(): WasmModule {
  compiled ??= lazily(() => new webAssembly.Module(readFileSync(wasmFile())));
  return compiled;
}

const wasmFile = (): string => join(dirname(createRequire(import.meta.url).resolve('wasmoon')), 'glue.wasm');

/** How much of a function runs before V8 optimizes it: V8's own measure in Node 20, and the one that it has had since. */
const HASTY_BUDGET = 1_800_000;
const BUDGET = 13_000_000;

/**
 * Makes a module whose functions are checked when they are first called, not all at once, and optimized as late as newer versions of V8 do it:
 * in Node 20 some eighty instructions of Lua have the interpreter optimized, which takes 75 ms, and a process does not end before that is done.
 */
function lazily(make: () => WasmModule): WasmModule {
  if (!process.versions.v8.startsWith('11.')) return make();
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  setFlagsFromString(`--wasm-tiering-budget=${BUDGET}`);
  setFlagsFromString('--wasm-lazy-validation');
  try {
    return make();
  } finally {
    // Built-in modules that are loaded later come from a cache that holds for the flags they were compiled with.
    setFlagsFromString(`--wasm-tiering-budget=${HASTY_BUDGET}`);
    setFlagsFromString('--no-wasm-lazy-validation');
  }
}
