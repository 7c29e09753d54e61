import type { Caller } from '../channel/caller.js';
import type { ConsolePort, ConsoleSettings, LineInput, NextLine } from '../channel/console.js';
import type { RunRequest } from '../channel/start.js';
import { type Pointer, REGISTRY, STATUS, TYPE } from '../lua/api.js';
import { FIRST_RESULT, runChunk, ScriptError, syntaxErrorOf } from '../lua/chunk.js';
import { completionsOf, installCompletion } from '../lua/completion.js';
import { Interrupter } from '../lua/interrupt.js';
import type { OutputFile } from '../lua/stdio.js';
import type { LuaVm } from '../lua/vm.js';
import { type Bytes, utf8 } from '../util/bytes.js';

const CHUNK_NAME = '=stdin';
const [EQUALS, NEWLINE] = [0x3d, 0x0a];

/** A reader of stdin as `io.read` reads it, so that a line's own reads and the session take turns on one buffer. */
const READ_LINE = `
  local stdin, read = io.stdin, io.stdin.read
  return function() return read(stdin, 'L') end`;

export interface SessionOptions {
  settings: ConsoleSettings;
  caller: Caller;
  stdout: OutputFile;
  stderr: OutputFile;
}

/**
 * Reads lines and runs them until there are no more, as `lua -i` does: what is an expression prints its values, what is not complete goes on
 * with the next line, and an error ends its line only.
 */
export class Session {
  readonly #vm: LuaVm;
  readonly #options: SessionOptions;
  readonly #port: ConsolePort;
  readonly #interrupter: Interrupter;
  readonly #lineReader: number;
  readonly #completion: number;

  /** Takes what it needs of the libraries: made before anything of them is taken away. */
  constructor(vm: LuaVm, options: SessionOptions) {
    this.#vm = vm;
    this.#options = options;
    this.#port = consolePort(options.caller);
    this.#lineReader = vm.keep(READ_LINE);
    this.#completion = installCompletion(vm);
    this.#interrupter = new Interrupter(vm);
    Object.assign(globalThis, { [options.settings.interruptName]: this.#interrupter.interrupt });
  }

  /** A script comes first where there is one, and is interrupted as a line is. Its failure is thrown: it ends the session before it begins. */
  run(script: RunRequest): void {
    if (script.source.length > 0) this.#interruptible(() => runChunk(this.#vm, script));
    for (;;) {
      const line = this.#next('_PROMPT', '> ');
      if (line === 'end') return;
      const source = line === 'cancelled' ? undefined : this.#complete(line);
      if (source !== undefined) this.#evaluate(source);
    }
  }

  /** The chunk that begins with a line: an expression where it is one, else lines until they are complete; undefined where they are given up. */
  #complete(line: Bytes): Bytes | undefined {
    const isMarked = line[0] === EQUALS;
    const expression = Buffer.concat([utf8('return '), isMarked ? line.subarray(1) : line]);
    if (syntaxErrorOf(this.#vm, expression, CHUNK_NAME) === undefined) return expression;
    let source: Bytes = isMarked ? expression : line;
    while (syntaxErrorOf(this.#vm, source, CHUNK_NAME)?.endsWith('<eof>')) {
      const more = this.#next('_PROMPT2', '>> ');
      if (more === 'cancelled') return undefined;
      if (more === 'end') break;
      source = Buffer.concat([source, utf8('\n'), more]);
    }
    return source;
  }

  #evaluate(source: Bytes): void {
    let failure: ScriptError | undefined;
    const interrupted = this.#interruptible(() => {
      try {
        runChunk(this.#vm, { source, chunkName: CHUNK_NAME, args: [] }, (L) => printResults(this.#vm, L));
      } catch (error) {
        // What is not the line's own error ends the session.
        if (!(error instanceof ScriptError)) throw error;
        failure = error;
      }
    });
    if (failure !== undefined) this.#report(failure, interrupted);
  }

  /** Runs what the host may interrupt; returns the message where it was. */
  #interruptible(run: () => void): string | undefined {
    const { caller } = this.#options;
    caller.notify('lineBegins');
    try {
      return this.#interrupter.during(run);
    } finally {
      caller.notify('lineEnds');
    }
  }

  /** To stderr, as `lua` does. What an interruption made something else fail with is not what happened. */
  #report({ message, traceback }: ScriptError, interrupted: string | undefined): void {
    const isOther = interrupted !== undefined && !message.includes(interrupted);
    const text = [isOther ? interrupted : message, isOther ? undefined : traceback].filter(Boolean).join('\n');
    const bytes = utf8(`${text}\n`);
    this.#options.stderr.write(bytes, 0, bytes.length);
  }

  #next(promptName: string, prompt: string): NextLine {
    return this.#options.settings.isTerminal ? this.#ask(this.#promptOf(promptName, prompt)) : this.#readStdin();
  }

  #ask(prompt: string): NextLine {
    const { stdout, stderr } = this.#options;
    if (!stdout.isAtLineStart) stdout.write(new Uint8Array([NEWLINE]), 0, 1);
    stdout.flush();
    stderr.flush();
    let input: LineInput = this.#port.readLine(prompt);
    while ('complete' in input) input = this.#port.completed(completionsOf(this.#vm, this.#completion, input.complete));
    if ('line' in input) return utf8(input.line);
    return 'end' in input ? 'end' : 'cancelled';
  }

  /** The next line of stdin, without its end. */
  #readStdin(): NextLine {
    const { lua } = this.#vm;
    let line: Bytes | undefined;
    this.#vm.protect((L) => {
      lua.lua_rawgeti(L, REGISTRY, BigInt(this.#lineReader));
      lua.lua_callk(L, 0, 1, 0, 0);
      if (lua.lua_type(L, -1) === TYPE.string) line = this.#vm.bytes(L, -1);
      return 0;
    }, 0);
    if (line === undefined) return 'end';
    return line.at(-1) === NEWLINE ? line.subarray(0, -1) : line;
  }

  /** `_PROMPT` and `_PROMPT2` may be anything that `tostring` takes. */
  #promptOf(name: string, otherwise: string): string {
    const { lua } = this.#vm;
    let prompt = otherwise;
    this.#vm.protect((L) => {
      if (lua.lua_getglobal(L, this.#vm.cstring(name)) === TYPE.nil) return 0;
      lua.luaL_tolstring(L, -1, 0);
      prompt = this.#vm.text(L, -1);
      return 0;
    }, 0);
    return prompt;
  }
}

const consolePort = (caller: Caller): ConsolePort => ({
  readLine: (prompt) => caller.call('readLine', [prompt]) as LineInput,
  completed: (completions) => caller.call('completed', [completions]) as LineInput,
});

/** By the global `print`, as `lua` does. */
function printResults(vm: LuaVm, L: Pointer): void {
  const { lua } = vm;
  const count = lua.lua_gettop(L) - FIRST_RESULT + 1;
  if (count === 0) return;
  lua.lua_getglobal(L, vm.cstring('print'));
  lua.lua_rotate(L, FIRST_RESULT, 1);
  if (lua.lua_pcallk(L, count, 0, 0, 0, 0) !== STATUS.ok)
    throw new ScriptError('SCRIPT_ERROR', `error calling 'print' (${vm.text(L, -1)})`);
}
