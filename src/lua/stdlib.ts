import { constants } from 'node:fs';
import type { SystemPort } from '../channel/system.js';
import { MULTIPLE_RESULTS, TYPE } from './api.js';
import { fileOfHandle } from './c-file.js';
import { dateWithin } from './calendar.js';
import { guardDebug } from './debug-guard.js';
import { isErrno } from './errno.js';
import { tellSystemErrors } from './failures.js';
import type { HostFs } from './hostfs.js';
import { Library } from './library.js';
import { installProcesses, refusedProcess } from './processes.js';
import { quickenReading } from './reading.js';
import { seekFar } from './seeking.js';
import type { HostFunction, LuaVm } from './vm.js';

export interface StdlibOptions {
  /** `safe` leaves out what reaches the system: `io`, most of `os`, `debug`. */
  level: 'full' | 'safe';
  /** How processes are started; null: not at all. */
  processes: SystemPort | null;
}

/** What `safe` takes away; `true` a whole library. */
const NOT_SAFE: Readonly<Record<string, readonly string[] | true>> = {
  io: true,
  debug: true,
  os: ['execute', 'exit', 'remove', 'rename', 'tmpname', 'getenv'],
};

/**
 * Makes the stock libraries what scripts get, after `luaL_openlibs`: code is loaded from text only, nothing can be linked in, `debug` cannot reach
 * into C functions, and what the C library only pretends to do (`os.clock`, `os.setlocale`, `os.tmpname`, processes) is real.
 * `docs/sandbox.md` has the result, function by function.
 */
export function installStdlib(vm: LuaVm, fs: HostFs, options: StdlibOptions): void {
  vm.setUp((L) => {
    const library = new Library(vm, L);
    library.wrap('_G', 'load', (load) => textOnly(vm, load, 3));
    const loadfile = textOnly(vm, library.original('loadfile'), 2);
    library.set('_G', 'loadfile', loadfile);
    library.wrap('_G', 'dofile', (dofile) => textOnlyDofile(vm, dofile, loadfile));
    library.set('os', 'clock', clock(vm));
    library.wrap('os', 'date', (date) => dateWithin(vm, date));
    library.set('os', 'setlocale', setlocale(vm));
    library.set('os', 'tmpname', tmpname(vm, fs));
    if (options.processes === null) {
      library.set('os', 'execute', refusedProcess(vm));
      library.set('io', 'popen', refusedProcess(vm));
    } else {
      installProcesses(vm, library, fs, options.processes);
    }
    quickenReading(vm, library, fs);
    seekFar(vm, library, fs);
    library.push('io.stdin');
    fs.stdin = fileOfHandle(vm, vm.lua.lua_touserdata(L, -1));
    vm.lua.lua_settop(L, -2);
    tellSystemErrors(vm, library);
    guardDebug(vm, library);
    library.run(PACKAGE);
    if (options.level === 'safe') for (const [name, fields] of Object.entries(NOT_SAFE)) library.remove(name, fields);
  });
}

/** stdout has its buffer outside the machine: a second one inside would be lost when the script is ended from outside. */
const PACKAGE = `
  io.stdout:setvbuf('no')
  package.loadlib, package.cpath = nil, ''
  package.searchers[3], package.searchers[4] = nil, nil`;

/** Has `require` look in a directory before anywhere else. */
export function searchFirst(vm: LuaVm, directory: string): void {
  // Such a name cannot be written in a search path.
  if (/[;?]/.test(directory)) return;
  const SEARCH = `local directory = ... package.path = directory .. '/?.lua;' .. directory .. '/?/init.lua;' .. package.path`;
  vm.setUp((L) => new Library(vm, L).run(SEARCH, directory));
}

/** A file that is binary is refused when it is opened anew, but stdin would not be: from there, as `loadfile` takes it. */
const textOnlyDofile =
  (vm: LuaVm, dofile: HostFunction, loadfile: HostFunction): HostFunction =>
  (L) => {
    const { lua } = vm;
    if (lua.lua_type(L, 1) > TYPE.nil) return dofile(L);
    lua.lua_settop(L, 0);
    // What it leaves is a function, or nil and a message.
    if (loadfile(L) > 1) return lua.lua_error(L);
    const below = lua.lua_gettop(L) - 1;
    lua.lua_callk(L, 0, MULTIPLE_RESULTS, 0, 0);
    return lua.lua_gettop(L) - below;
  };

/**
 * `load` or `loadfile` for text only: mutated bytecode corrupts the machine.
 *
 * @param modeAt which argument is the mode
 */
const textOnly =
  (vm: LuaVm, load: HostFunction, modeAt: number): HostFunction =>
  (L) => {
    const { lua } = vm;
    const given = lua.lua_gettop(L);
    if (given === 0 && modeAt === 3) return load(L);
    if (given < modeAt) lua.lua_settop(L, modeAt);
    const type = lua.lua_type(L, modeAt);
    if (type === TYPE.nil || type === TYPE.string) {
      const wanted = type === TYPE.nil ? 't' : vm.text(L, modeAt);
      vm.pushText(L, wanted.includes('t') ? 't' : '');
      lua.lua_copy(L, -1, modeAt);
      lua.lua_settop(L, -2);
    }
    return load(L);
  };

/** CPU seconds, of this thread where Node can tell (24 and later), else of the process; counted from here, as `clock` counts from the program's start. */
function clock(vm: LuaVm): HostFunction {
  const { threadCpuUsage } = process as { threadCpuUsage?: () => NodeJS.CpuUsage };
  const usage = (threadCpuUsage ?? process.cpuUsage).bind(process);
  const seconds = () => {
    const { user, system } = usage();
    return (user + system) / 1e6;
  };
  const start = seconds();
  return (L) => {
    vm.lua.lua_pushnumber(L, seconds() - start);
    return 1;
  };
}

const CATEGORIES = ['all', 'collate', 'ctype', 'monetary', 'numeric', 'time'];

/** There is one locale, `C`, and no other is claimed to have been set. */
const setlocale =
  (vm: LuaVm): HostFunction =>
  (L) => {
    const { lua } = vm;
    const text = (at: number, otherwise: string) =>
      lua.lua_type(L, at) <= 0 ? otherwise : Buffer.from(vm.checkCString(L, at)).toString('latin1');
    const locale = text(1, 'C');
    const category = text(2, 'all');
    if (!CATEGORIES.includes(category)) return lua.luaL_argerror(L, 2, vm.message(`invalid option '${category}'`));
    if (['', 'C', 'POSIX'].includes(locale)) vm.pushText(L, 'C');
    else lua.lua_pushnil(L);
    return 1;
  };

const ATTEMPTS = 10;

/** Creates the file, so that the name is taken: only a name, as C's `tmpnam` gives it, could be somebody else's by the time it is used. */
const tmpname =
  (vm: LuaVm, fs: HostFs): HostFunction =>
  (L) => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const name = `/tmp/lua_${process.getBuiltinModule('node:crypto').randomBytes(6).toString('base64url')}`;
      try {
        fs.access.open(Buffer.from(name), constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600).close();
        vm.pushText(L, name);
        return 1;
      } catch (error) {
        if (!isErrno(error, 'EEXIST')) break;
      }
    }
    return vm.raise(L, 'unable to generate a unique filename');
  };
