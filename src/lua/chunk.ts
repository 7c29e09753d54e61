import type { RunRequest } from '../channel/start.js';
import { LlmspellError } from '../errors.js';
import type { Bytes } from '../util/bytes.js';
import { MULTIPLE_RESULTS, type Pointer, STATUS, TYPE, typeName } from './api.js';
import type { LuaVm } from './vm.js';

/** A script's own error, as `lua` shows it. */
export class ScriptError extends LlmspellError {
  readonly traceback: string | undefined;
  constructor(code: 'SCRIPT_SYNTAX' | 'SCRIPT_ERROR' | 'SCRIPT_MEMORY', message: string, traceback?: string) {
    super(code, message);
    this.traceback = traceback;
  }
}

const LF = 0x0a;
/** Below the results of a chunk lies its message handler. */
export const FIRST_RESULT = 2;

/** The source without a byte-order mark, and without a first line that begins with `#` (its line end stays: lines keep their numbers). */
export function withoutPreamble(source: Bytes): Bytes {
  const text = source[0] === 0xef && source[1] === 0xbb && source[2] === 0xbf ? source.subarray(3) : source;
  if (text[0] !== 0x23) return text;
  const end = text.indexOf(LF);
  return end < 0 ? text.subarray(text.length) : text.subarray(end);
}

/**
 * Loads a text chunk and calls it with the arguments, under a handler that keeps the traceback, as `lua.c` does. Throws a
 * {@link ScriptError} where it fails; an `Unwind` goes through.
 *
 * @param withResults called with the results on the stack, from {@link FIRST_RESULT} on
 */
export function runChunk(
  vm: LuaVm,
  { source, chunkName, args }: Pick<RunRequest, 'source' | 'chunkName' | 'args'>,
  withResults: (L: Pointer) => void = () => undefined,
): void {
  const { lua } = vm;
  let failure: ScriptError | undefined;
  let described: Description | undefined;
  const status = vm.protect((L) => {
    vm.pushFunction(L, (at) => {
      described = describeError(vm, at);
      return 1;
    });
    if (vm.load(L, withoutPreamble(source), chunkName) !== STATUS.ok) {
      failure = new ScriptError('SCRIPT_SYNTAX', vm.text(L, -1));
      return 0;
    }
    lua.lua_checkstack(L, args.length);
    for (const arg of args) vm.pushText(L, arg);
    const called = lua.lua_pcallk(L, args.length, MULTIPLE_RESULTS, 1, 0, 0);
    if (called === STATUS.ok) withResults(L);
    else failure = scriptError(vm, L, called, described);
    return 0;
  }, 0);
  if (status !== STATUS.ok) failure ??= scriptError(vm, vm.L, status, described);
  if (failure !== undefined) throw failure;
}

/** What keeps a text chunk from being compiled; undefined where nothing does. */
export function syntaxErrorOf(vm: LuaVm, source: Bytes, chunkName: string): string | undefined {
  let message: string | undefined;
  vm.protect((L) => {
    if (vm.load(L, source, chunkName) !== STATUS.ok) message = vm.text(L, -1);
    return 0;
  }, 0);
  return message;
}

function scriptError(vm: LuaVm, L: Pointer, status: number, described: Description | undefined): ScriptError {
  if (status === STATUS.memory) return new ScriptError('SCRIPT_MEMORY', 'The script ran out of memory.');
  const text = vm.text(L, -1);
  return text === described?.text
    ? new ScriptError('SCRIPT_ERROR', described.message, described.traceback)
    : new ScriptError('SCRIPT_ERROR', text);
}

/** What the handler made of an error: `text` is what Lua goes on with, the message and below it the traceback. */
interface Description {
  text: string;
  message: string;
  traceback: string | undefined;
}

/** `msghandler` of lua.c: pushes the text for the error at index 1, with the traceback from where it was raised. */
function describeError(vm: LuaVm, L: Pointer): Description {
  const { lua } = vm;
  const type = lua.lua_type(L, 1);
  if (type === TYPE.string || type === TYPE.number) lua.lua_pushvalue(L, 1);
  else if (lua.luaL_callmeta(L, 1, vm.cstring('__tostring')) !== 0 && lua.lua_type(L, -1) === TYPE.string) {
    const text = vm.text(L, -1);
    return { text, message: text, traceback: undefined };
  } else vm.pushText(L, `(error object is a ${typeName(type)} value)`);
  const message = vm.text(L, -1);
  vm.pushText(L, '\n');
  lua.luaL_traceback(L, L, 0, 1);
  const traceback = vm.text(L, -1);
  lua.lua_concat(L, 3);
  return { text: vm.text(L, -1), message, traceback };
}
