import type { ExitStatus, SystemPort } from '../channel/system.js';
import { copyBytes } from '../util/bytes.js';
import type { Pointer } from './api.js';
import { ERRNO, SystemError } from './errno.js';
import type { OpenFile } from './files.js';
import type { HostFs } from './hostfs.js';
import type { Library } from './library.js';
import { InputFile } from './stdio.js';
import type { HostFunction, LuaVm } from './vm.js';

const BUFFER_BYTES = 64 * 1024;

/** `luaL_Stream` is the C library's file and, in the next word, the function that closes it. */
const closeFunction = (handle: Pointer): number => (handle >> 2) + 1;

/** Sets `os.execute` and `io.popen`, as the reference manual has them, on processes that the host runs. */
export function installProcesses(vm: LuaVm, library: Library, fs: HostFs, port: SystemPort): void {
  // A handle like those that popen makes shows which function closes a file.
  fs.openNext(new InputFile(() => new Uint8Array()));
  library.push(`io.open('')`);
  const closeFile = vm.tableFunction(vm.u32[closeFunction(vm.lua.lua_touserdata(vm.L, -1))]!);
  vm.lua.lua_settop(vm.L, -2);
  const processes = new Processes(vm, fs, port, closeFile);
  library.set('os', 'execute', processes.execute);
  library.set('io', 'popen', processes.popen(library.original('io.open')));
}

class Processes {
  readonly #vm: LuaVm;
  readonly #fs: HostFs;
  readonly #port: SystemPort;
  readonly #closeFile: HostFunction;
  readonly #closeProcess: number;
  /** The processes of open files, by the address of Lua's file handle. */
  readonly #ids = new Map<Pointer, number>();

  constructor(vm: LuaVm, fs: HostFs, port: SystemPort, closeFile: HostFunction) {
    this.#vm = vm;
    this.#fs = fs;
    this.#port = port;
    this.#closeFile = closeFile;
    this.#closeProcess = vm.register(this.#close);
  }

  readonly execute: HostFunction = (L) => {
    const { lua } = this.#vm;
    if (lua.lua_type(L, 1) <= 0) {
      lua.lua_pushboolean(L, 1);
      return 1;
    }
    const command = this.#vm.checkCString(L, 1);
    this.#fs.flushOutput();
    return this.#pushStatus(L, this.#port.runProcess(command));
  };

  /** @param open the stock `io.open`, which makes the file handle */
  readonly popen =
    (open: HostFunction): HostFunction =>
    (L) => {
      const { lua } = this.#vm;
      const command = this.#vm.checkCString(L, 1);
      const mode = lua.lua_type(L, 2) <= 0 ? 'r' : Buffer.from(this.#vm.checkCString(L, 2)).toString();
      if (mode !== 'r' && mode !== 'w') return lua.luaL_argerror(L, 2, this.#vm.cstring('invalid mode'));
      this.#fs.flushOutput();
      const id = this.#port.openProcess(command, mode);
      this.#fs.openNext(mode === 'r' ? this.#outputOf(id) : new ProcessInput(this.#port, id, this.#fs));
      lua.lua_settop(L, 0);
      this.#vm.pushText(L, 'process');
      this.#vm.pushText(L, mode);
      const results = open(L);
      if (results === 1) this.#adopt(lua.lua_touserdata(L, -1), id);
      return results;
    };

  #outputOf(id: number): OpenFile {
    return new InputFile(
      () => this.#port.readProcess(id),
      () => this.#port.hangUpProcess(id),
    );
  }

  /** Has closing the handle wait for the process. */
  #adopt(handle: Pointer, id: number): void {
    this.#vm.u32[closeFunction(handle)] = this.#closeProcess;
    this.#ids.set(handle, id);
  }

  readonly #close: HostFunction = (L) => {
    const handle = this.#vm.lua.lua_touserdata(L, 1);
    const id = this.#ids.get(handle)!;
    this.#ids.delete(handle);
    this.#fs.flushOutput();
    this.#closeFile(L);
    return this.#pushStatus(L, this.#port.waitProcess(id));
  };

  #pushStatus(L: Pointer, { how, code }: ExitStatus): number {
    const { lua } = this.#vm;
    if (how === 'exit' && code === 0) lua.lua_pushboolean(L, 1);
    else lua.lua_pushnil(L);
    this.#vm.pushText(L, how);
    lua.lua_pushinteger(L, BigInt(code));
    return 3;
  }
}

/** What `os.execute` and `io.popen` are where processes are not allowed: they fail, and say which setting forbids it. */
export const refusedProcess =
  (vm: LuaVm): HostFunction =>
  (L) => {
    if (vm.lua.lua_type(L, 1) <= 0) {
      vm.lua.lua_pushboolean(L, 0);
      return 1;
    }
    vm.lua.lua_pushnil(L);
    vm.pushText(L, 'processes are not allowed (runtime.security.allow_process_spawn)');
    vm.lua.lua_pushinteger(L, BigInt(ERRNO.EPERM));
    return 3;
  };

/** The stdin of a process. */
class ProcessInput implements OpenFile {
  readonly #port: SystemPort;
  readonly #id: number;
  readonly #fs: HostFs;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #length = 0;

  constructor(port: SystemPort, id: number, fs: HostFs) {
    this.#port = port;
    this.#id = id;
    this.#fs = fs;
  }

  read(): number {
    throw new SystemError('EBADF');
  }

  write(memory: Uint8Array, start: number, end: number, through: boolean): void {
    if (this.#length + end - start > BUFFER_BYTES) this.flush();
    if (end - start > BUFFER_BYTES) {
      this.#send(memory.subarray(start, end));
      return;
    }
    copyBytes(memory, start, end, this.#buffer, this.#length);
    this.#length += end - start;
    if (through) this.flush();
  }

  seek(): number {
    throw new SystemError('ESPIPE');
  }

  flush(): void {
    const pending = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    if (pending.length > 0) this.#send(pending);
  }

  close(): void {
    try {
      this.flush();
    } finally {
      this.#port.hangUpProcess(this.#id);
    }
  }

  #send(bytes: Uint8Array): void {
    this.#fs.flushOutput();
    if (!this.#port.writeProcess(this.#id, bytes)) throw new SystemError('EPIPE');
  }
}
