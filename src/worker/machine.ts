import { setFlagsFromString } from 'node:v8';
import { Caller } from '../channel/caller.js';
import { OutputWriter } from '../channel/output.js';
import { PROTOCOL_VERSION } from '../channel/protocol.js';
import type { RunReport, RunRequest, ScriptFailure, WorkerStart } from '../channel/start.js';
import { LlmspellError, toPlainError } from '../errors.js';
import { runChunk, ScriptError } from '../lua/chunk.js';
import { createVm, type ImportPatch, LimitReached, type LuaVm, ScriptExit } from '../lua/vm.js';

export interface Machine {
  /** Runs the script to its end. Throws nothing: whatever happened is in the report. */
  run(request: RunRequest): RunReport;
}

/** Builds a Lua machine with all that its settings give it. */
export async function prepare(start: WorkerStart): Promise<Machine> {
  if (start.version !== PROTOCOL_VERSION)
    throw new LlmspellError('INTERNAL', 'Host and worker are of different versions.');
  // Optimising every function of the module at once makes the first hot loop twice as fast, and costs nothing before it.
  setFlagsFromString('--no-wasm-dynamic-tiering');
  const caller = new Caller(start.port, new Int32Array(start.bell));
  const output = new OutputWriter(start.output, () => caller.notify('output'));
  const vm = await createVm([printing(output)]);
  vm.setUp((L) => vm.lua.luaL_openlibs(L));
  return { run: (request) => report(() => runScript(vm, request)) };
}

function printing(output: OutputWriter): ImportPatch {
  return (imports, vm) => {
    imports.wasi_snapshot_preview1!.fd_write = (fd: number, vectors: number, count: number, written: number) => {
      let total = 0;
      for (let i = 0; i < count; i++) {
        const at = vm.u32[(vectors >> 2) + 2 * i]!;
        const length = vm.u32[(vectors >> 2) + 2 * i + 1]!;
        output.write(fd as 1 | 2, vm.u8.subarray(at, at + length));
        total += length;
      }
      vm.u32[written >> 2] = total;
      return 0;
    };
  };
}

function runScript(vm: LuaVm, request: RunRequest): void {
  vm.setUp((L) => setArgumentTable(vm, L, request));
  try {
    runChunk(vm, request);
  } finally {
    vm.lua.fflush(0);
  }
}

/** The global `arg`: the script's name at 0, its arguments from 1. */
function setArgumentTable(vm: LuaVm, L: number, { scriptName, args }: RunRequest): void {
  vm.lua.lua_createtable(L, args.length, 1);
  [scriptName, ...args].forEach((text, i) => {
    vm.pushText(L, text);
    vm.lua.lua_rawseti(L, -2, BigInt(i));
  });
  vm.lua.lua_setglobal(L, vm.cstring('arg'));
}

function report(run: () => void): RunReport {
  try {
    run();
    return { exitCode: 0 };
  } catch (error) {
    if (error instanceof ScriptExit) return { exitCode: error.exitCode };
    return failed(error);
  }
}

function failed(error: unknown): RunReport {
  const known = error instanceof LimitReached ? error.reason : error instanceof LlmspellError ? error : crash(error);
  const failure: ScriptFailure = toPlainError(known);
  if (error instanceof ScriptError && error.traceback !== undefined) failure.traceback = error.traceback;
  return { exitCode: known.exitCode, error: failure };
}

function crash(error: unknown): LlmspellError {
  const cause = error instanceof Error ? error.message : String(error);
  return new LlmspellError('SCRIPT_CRASHED', `The Lua machine broke down (${cause}).`, { cause: error });
}
