import { LlmspellError } from '../errors.js';
import { type ImportPatch, LimitReached, type LuaVm, ScriptExit } from './vm.js';

/** `ENOSYS` as WASI has it. */
const NOT_THERE = 52;

/** What the C library and the compiled code themselves need: errors that unwind, memory, time. The system behind it is not there. */
export const runtime: ImportPatch = ({ env, wasi_snapshot_preview1: wasi }, vm) => {
  Object.assign(env!, {
    invoke_vii: invoker(vm),
    _emscripten_throw_longjmp: () => {
      // oxlint-disable-next-line typescript/only-throw-error -- what C's longjmp is in this module: a number that the nearest setjmp catches
      throw Number.POSITIVE_INFINITY;
    },
    emscripten_resize_heap: (size: number) => (vm.grow(size >>> 0) ? 1 : 0),
    emscripten_date_now: () => Date.now(),
    _emscripten_get_now_is_monotonic: () => 1,
    exit: (code: number) => {
      throw new ScriptExit(code & 0xff);
    },
    abort: () => {
      throw new LimitReached(new LlmspellError('SCRIPT_CRASHED', 'The Lua machine broke down.'));
    },
    system: () => 0,
  });
  for (const call of SYSTEM_CALLS) env![call] = () => -NOT_THERE;
  for (const call of ['fd_write', 'fd_read', 'fd_close', 'fd_seek']) wasi![call] = () => NOT_THERE;
  Object.assign(wasi!, {
    environ_sizes_get: (count: number, size: number) => {
      vm.u32[count >> 2] = 0;
      vm.u32[size >> 2] = 0;
      return 0;
    },
    environ_get: () => 0,
  });
};

const SYSTEM_CALLS = ['openat', 'fcntl64', 'ioctl', 'dup3', 'unlinkat', 'rmdir', 'renameat', 'readlinkat'].map(
  (name) => `__syscall_${name}`,
);

/**
 * C's `setjmp`: calls the function at `index` of the table. A thrown number is a `longjmp` and ends here; everything else, an
 * {@link Unwind} above all, goes on.
 */
function invoker(vm: LuaVm): (index: number, a: number, b: number) => void {
  // Reading the table costs more than such a call; nothing that is called so is ever replaced.
  const functions = new Map<number, (a: number, b: number) => void>();
  return (index, a, b) => {
    const { lua } = vm;
    let fn = functions.get(index);
    if (fn === undefined) {
      fn = lua.__indirect_function_table.get(index) as (a: number, b: number) => void;
      functions.set(index, fn);
    }
    const stack = lua.stackSave();
    try {
      fn(a, b);
    } catch (error) {
      lua.stackRestore(stack);
      if (typeof error !== 'number') throw error;
      lua.setThrew(1, 0);
    }
  };
}
