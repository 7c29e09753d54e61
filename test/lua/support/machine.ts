import { type FileAccess, wholeFileSystem } from '../../../src/lua/file-access.js';
import type { OpenFile } from '../../../src/lua/files.js';
import { HostFs } from '../../../src/lua/hostfs.js';
import { createVm } from '../../../src/lua/loader.js';
import { InputFile } from '../../../src/lua/stdio.js';
import { type LuaVm, ScriptExit } from '../../../src/lua/vm.js';

export interface MachineOptions {
  access?: FileAccess;
  environment?: Record<string, string>;
  stdin?: string;
  /** Called with the libraries open, before the script runs. */
  install?: (vm: LuaVm, fs: HostFs) => void;
}

export interface Outcome {
  stdout: string;
  stderr: string;
  error: string | undefined;
  exitCode: number;
}

/** Runs Lua on the real file system in this thread, with stdin and the outputs in memory. Strings are bytes (latin1). */
export async function runLua(source: string, options: MachineOptions = {}): Promise<Outcome> {
  const stdout = new MemoryFile();
  const stderr = new MemoryFile();
  const input = [Buffer.from(options.stdin ?? '', 'latin1')];
  const stdin = new InputFile(() => input.pop() ?? new Uint8Array());
  const fs = new HostFs(options.access ?? wholeFileSystem, { stdin, stdout, stderr }, options.environment ?? {});
  const vm = createVm([fs.patch]);
  vm.setUp((L) => vm.lua.luaL_openlibs(L));
  options.install?.(vm, fs);
  const outcome = (error: string | undefined, exitCode: number): Outcome => {
    fs.close();
    return { stdout: stdout.text(), stderr: stderr.text(), error, exitCode };
  };
  try {
    const failed = vm.protect((L) => {
      if (vm.load(L, Buffer.from(source, 'latin1'), '=test') !== 0) return vm.lua.lua_error(L);
      vm.lua.lua_callk(L, 0, 0, 0, 0);
      return 0;
    });
    return outcome(failed === 0 ? undefined : vm.text(vm.L, -1), failed === 0 ? 0 : 1);
  } catch (error) {
    if (error instanceof ScriptExit) return outcome(undefined, error.exitCode);
    throw error;
  }
}

class MemoryFile implements OpenFile {
  readonly #chunks: Uint8Array[] = [];

  text(): string {
    return Buffer.concat(this.#chunks).toString('latin1');
  }

  read(): number {
    return 0;
  }

  write(memory: Uint8Array, start: number, end: number): void {
    this.#chunks.push(memory.slice(start, end));
  }

  seek(): number {
    return 0;
  }

  flush(): void {}
  close(): void {}
}
