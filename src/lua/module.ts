import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type WasmModule, webAssembly } from './wasm.js';

let compiled: Promise<WasmModule> | undefined;

/**
 * wasmoon's wasm module. Compiled at the first call, on V8's own threads: ask for it early, and it is there when the rest is loaded.
 * Machines of one process share the code.
 */
export function compileModule(): Promise<WasmModule> {
  compiled ??= compile();
  return compiled;
}

async function compile(): Promise<WasmModule> {
  const loader = createRequire(import.meta.url).resolve('wasmoon');
  return await webAssembly.compile(await readFile(join(dirname(loader), 'glue.wasm')));
}
