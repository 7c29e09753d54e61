import type { InterruptLine } from '../channel/console.js';
import { type Pointer, TYPE } from './api.js';
import type { LuaVm } from './vm.js';

/** `LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT`: whatever comes next. */
const EVERYTHING = 15;
/** Words of a `lua_State` and of what every collected object begins with. */
const GLOBAL_STATE_WORD = 4;
const NEXT_OBJECT_WORD = 0;
const TYPE_BYTE = 4;
/** Of a `lua_State`: 0 while a hook runs, or a finalizer. */
const ALLOW_HOOK_BYTE = 7;
const TYPE_BITS = 0x0f;
/** How many words of the global state are searched for the list of all objects. */
const GLOBAL_STATE_WORDS = 64;
/** `MAXCCALLS` of the pattern matcher. */
const DEEPEST_MATCH = 200;

interface Hooked {
  L: Pointer;
  hook: number;
  mask: number;
  count: number;
}

/**
 * Ends what the machine runs with a Lua error, as the signal handler of `lua.c` does: {@link interrupt} is called at any moment, also in the
 * middle of a loop inside the machine, and sets a hook that raises the error at the next instruction. Nothing is spent on it before.
 */
export class Interrupter {
  readonly #vm: LuaVm;
  readonly #hook: number;
  /** The word of the global state that holds the list of all objects; undefined where it was not found. */
  readonly #objectsWord: number | undefined;
  #hooked: Hooked[] = [];
  #isRunning = false;
  #isHard = false;
  #message: string | undefined;

  constructor(vm: LuaVm) {
    this.#vm = vm;
    this.#hook = vm.registerHook((L) => this.#raise(L));
    this.#objectsWord = this.#findObjects();
  }

  /** Runs what may be interrupted; returns the message where it was. */
  during(run: () => void): string | undefined {
    this.#message = undefined;
    this.#isRunning = true;
    try {
      run();
      return this.#message;
    } finally {
      this.#isRunning = false;
      this.#release();
    }
  }

  /** What the running code was interrupted with. */
  get message(): string | undefined {
    return this.#message;
  }

  interrupt: InterruptLine = (message, isHard) => {
    if (!this.#isRunning) return;
    this.#message = message;
    this.#isHard = isHard;
    const threads = this.#threads();
    if (this.#hooked.length === 0) this.#hooked = threads.map((L) => this.#hookOf(L));
    for (const L of threads) this.#vm.lua.lua_sethook(L, this.#hook, EVERYTHING, 1);
    if (isHard) for (const L of threads) this.#allowHooks(L);
    this.#endMatch(new Set(threads));
  };

  /** The handler of an error that a hook has raised would run without hooks, and it too may go on without end. */
  #allowHooks(L: Pointer): void {
    const [, bytes] = this.#memory();
    bytes[L + ALLOW_HOOK_BYTE] = 1;
  }

  #raise(L: Pointer): number {
    if (this.#isHard) this.#allowHooks(L);
    else this.#release();
    return this.#vm.raise(L, this.#message ?? 'interrupted!');
  }

  #hookOf(L: Pointer): Hooked {
    const { lua } = this.#vm;
    return { L, hook: lua.lua_gethook(L), mask: lua.lua_gethookmask(L), count: lua.lua_gethookcount(L) };
  }

  /** Gives the hooks back that there were. A coroutine made meanwhile has inherited ours. */
  #release(): void {
    if (this.#hooked.length === 0) return;
    const before = new Map(this.#hooked.map((hooked) => [hooked.L, hooked]));
    for (const L of this.#threads()) {
      const { hook, mask, count } = before.get(L) ?? { hook: 0, mask: 0, count: 0 };
      this.#vm.lua.lua_sethook(L, hook, mask, count);
    }
    this.#hooked = [];
  }

  /** All coroutines, with the main one. Only reads: the collector may be at work. */
  #threads(): Pointer[] {
    const { L } = this.#vm;
    const threads = [L];
    if (this.#objectsWord === undefined) return threads;
    const [words, bytes] = this.#memory();
    let object = words[(words[(L >> 2) + GLOBAL_STATE_WORD]! >> 2) + this.#objectsWord]!;
    for (; object !== 0; object = words[(object >> 2) + NEXT_OBJECT_WORD]!)
      if ((bytes[object + TYPE_BYTE]! & TYPE_BITS) === TYPE.thread) threads.push(object);
    return threads;
  }

  /** A new coroutine is at the head of the list of all objects: that is how the list is found. */
  #findObjects(): number | undefined {
    const { lua, L } = this.#vm;
    let found: number | undefined;
    this.#vm.setUp(() => {
      const thread = lua.lua_newthread(L);
      const [words] = this.#memory();
      const globalState = words[(L >> 2) + GLOBAL_STATE_WORD]!;
      if (words[(thread >> 2) + GLOBAL_STATE_WORD] !== globalState) return;
      const at = words.subarray(globalState >> 2, (globalState >> 2) + GLOBAL_STATE_WORDS).indexOf(thread);
      if (at >= 0) found = at;
    });
    return found;
  }

  /**
   * A pattern that backtracks without end runs no hook. The matcher's own limit of depth, which lies on the C stack, is taken from it, so that it
   * raises its error at the next step: `{src_init, src_end, p_end, L, matchdepth, level}`.
   */
  #endMatch(threads: ReadonlySet<Pointer>): void {
    const { lua } = this.#vm;
    const [words, bytes] = this.#memory();
    const end = lua.emscripten_stack_get_base() >> 2;
    for (let at = (lua.stackSave() >> 2) + 3; at < end - 1; at++) {
      if (!threads.has(words[at]!)) continue;
      const [start, sourceEnd] = [words[at - 3]!, words[at - 2]!];
      const depth = words[at + 1]!;
      const isMatch = start !== 0 && start <= sourceEnd && depth > 0 && depth <= DEEPEST_MATCH;
      if (isMatch && bytes[(at + 2) << 2]! <= 32) words[at + 1] = 0;
    }
  }

  // The views of the machine may be out of date: this runs in the middle of anything.
  #memory(): [Uint32Array, Uint8Array] {
    const { buffer } = this.#vm.lua.memory;
    return [new Uint32Array(buffer), new Uint8Array(buffer)];
  }
}
