import { dirname } from 'node:path';
import { Caller, stateChannel } from '../channel/caller.js';
import { LocalPort } from '../channel/local-port.js';
import { OutputWriter } from '../channel/output.js';
import { PROTOCOL_VERSION } from '../channel/protocol.js';
import { RingWriter } from '../channel/ring.js';
import type {
  MachineSettings,
  RunReport,
  RunRequest,
  SandboxSettings,
  ScriptFailure,
  WorkerStart,
} from '../channel/start.js';
import { systemPort } from '../channel/system.js';
import { LlmspellError, toPlainError } from '../errors.js';
import { runChunk, ScriptError } from '../lua/chunk.js';
import { type FileAccess, noFiles, wholeFileSystem } from '../lua/file-access.js';
import { StdinFile } from '../lua/files.js';
import { installState, type StateOptions } from '../lua/globals/state.js';
import { HostFs } from '../lua/hostfs.js';
import { Jail } from '../lua/jail.js';
import { installLimits, OutputBudget } from '../lua/limits.js';
import { createVm } from '../lua/loader.js';
import { InputFile, OutputFile } from '../lua/stdio.js';
import { installStdlib, searchFirst } from '../lua/stdlib.js';
import { LimitReached, type LuaVm, ScriptExit } from '../lua/vm.js';
import { utf8 } from '../util/bytes.js';

export interface Machine {
  /** Runs the script to its end. Throws nothing: whatever happened is in the report. */
  run(request: RunRequest): RunReport;
}

/** Builds a Lua machine with all that its settings give it. */
export async function prepare(start: WorkerStart): Promise<Machine> {
  if (start.version !== PROTOCOL_VERSION)
    throw new LlmspellError('INTERNAL', 'Host and worker are of different versions.');
  const caller = new Caller(start.port, new Int32Array(start.bell));
  const output = new OutputWriter(start.output, () => caller.notify('output'));
  const system = systemPort((operation, args) => caller.call(operation, args));
  const { sandbox, limits } = start.settings;
  const budget = new OutputBudget(limits.maxOutputBytes);
  const stdout = new OutputFile(output, 1, budget, 'never');
  const stdin = new InputFile(() => {
    stdout.flush();
    return system.readStdin();
  });
  const streams = { stdin, stdout, stderr: new OutputFile(output, 2, budget, 'always') };
  const fs = new HostFs(fileAccess(sandbox), streams, sandbox.environment);
  const vm = createVm([fs.patch]);
  vm.setUp((L) => vm.lua.luaL_openlibs(L));
  const program = await programOf(vm, start.settings, { caller, ...streams });
  installStdlib(vm, fs, { level: sandbox.stdlib, processes: sandbox.processSpawn ? system : null });
  if (start.settings.state) vm.setUp((L) => installState(vm, L, stateOptions(start, caller)));
  installLimits(vm, limits);
  const run = (request: RunRequest) => {
    if (request.interactive) stdout.eager = 'lines';
    if (request.stdinIsFile) fs.replaceStdin(new StdinFile());
    runScript(vm, fs, sandbox.environment, request, program);
  };
  return { run: (request) => report(() => run(request)) };
}

/** What is done with a request: a script is run, a session begins after it, or the tests in it are run. Loaded only where they are needed. */
async function programOf(vm: LuaVm, { console, tests }: MachineSettings, rest: ProgramParts): Promise<Program> {
  if (tests) {
    const runner = new (await import('./tests.js')).TestRunner(vm, { settings: tests, ...rest });
    return (request) => runner.run(request);
  }
  if (console) {
    const session = new (await import('./session.js')).Session(vm, { settings: console, ...rest });
    return (request) => session.run(request);
  }
  return (request) => runChunk(vm, request);
}

type Program = (request: RunRequest) => void;

interface ProgramParts {
  caller: Caller;
  stdout: OutputFile;
  stderr: OutputFile;
}

function stateOptions({ settings: { limits, calls }, ring }: WorkerStart, caller: Caller): StateOptions {
  return {
    port: new LocalPort(stateChannel(caller), new RingWriter(ring, () => caller.notify('drain'))),
    limits,
    calls,
    onEvent: (listener) => {
      caller.onEvent = listener;
    },
  };
}

function fileAccess({ fileAccess, allowedPaths }: SandboxSettings): FileAccess {
  if (!fileAccess) return noFiles;
  return allowedPaths.length === 0 ? wholeFileSystem : new Jail(allowedPaths);
}

/** As `lua.c` does: `LUA_INIT`, the script, and at the end the state is closed, which runs the finalizers that are left. */
function runScript(vm: LuaVm, fs: HostFs, environment: Environment, request: RunRequest, program: Program): void {
  vm.setUp((L) => setArgumentTable(vm, L, request));
  if (request.chunkName.startsWith('@')) searchFirst(vm, dirname(request.chunkName.slice(1)));
  try {
    runInit(vm, environment);
    program(request);
    vm.lua.lua_close(vm.L);
  } catch (error) {
    if (error instanceof ScriptError && error.code === 'SCRIPT_ERROR') vm.lua.lua_close(vm.L);
    throw error;
  } finally {
    fs.close();
  }
}

/** `LUA_INIT_5_4`, or else `LUA_INIT`: code to run before the script, or `@` and the name of a file with it. */
function runInit(vm: LuaVm, environment: Environment): void {
  const name = ['LUA_INIT_5_4', 'LUA_INIT'].find((candidate) => environment[candidate] !== undefined);
  const init = name === undefined ? undefined : environment[name];
  if (init === undefined) return;
  const isFile = init.startsWith('@');
  const source = utf8(isFile ? 'dofile(...)' : init);
  runChunk(vm, { source, chunkName: `=${name}`, args: isFile ? [init.slice(1)] : [] });
}

type Environment = SandboxSettings['environment'];

/** The global `arg`: the script's name at 0, its arguments from 1, and the words of the command line before it below 0. */
function setArgumentTable(vm: LuaVm, L: number, { scriptName, args, wordsBefore = [] }: RunRequest): void {
  vm.lua.lua_createtable(L, args.length, 1 + wordsBefore.length);
  [...wordsBefore, scriptName, ...args].forEach((text, i) => {
    vm.pushText(L, text);
    vm.lua.lua_rawseti(L, -2, BigInt(i - wordsBefore.length));
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
