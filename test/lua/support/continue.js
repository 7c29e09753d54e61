// A process that starts a script, or continues one: `start FILE` runs it up to its yield and writes the machine's memory to FILE;
// `continue FILE` takes the memory from there and runs on. What the script hands over is printed.
import { readFileSync, writeFileSync } from 'node:fs';
import { deflateSync, inflateSync } from 'node:zlib';
import { wholeFileSystem } from '../../../dist/lua/file-access.js';
import { installState } from '../../../dist/lua/globals/state.js';
import { HostFs } from '../../../dist/lua/hostfs.js';
import { createVm } from '../../../dist/lua/loader.js';
import { installStdlib } from '../../../dist/lua/stdlib.js';

const SCRIPT = `
  local kept = { n = 1.5, text = "a\\0b", inner = { 1, 2, 3 } }
  local function counter(from) return function() from = from + 1 return from end end
  local next = counter(10)
  local inner = coroutine.wrap(function() for i = 1, 5 do coroutine.yield(i * i) end end)
  for i = 1, 3 do next() inner() end
  State.set("k", kept)
  local hidden <close> = setmetatable({}, { __close = function() report("closed") end })
  local answer = coroutine.yield("yielded " .. kept.text:len())
  report(answer, next(), inner(), kept.inner[3], kept.n, tostring(State.get("k").text == kept.text), tostring(os.time() > 0))
  return "done"`;

const YIELDED = 1;

async function machine() {
  let stored;
  const port = {
    get: () => stored,
    set: (_scope, _key, value) => {
      stored = value.slice();
    },
  };
  const silent = {
    read: () => 0,
    write: () => undefined,
    seek: () => 0,
    flush: () => undefined,
    close: () => undefined,
  };
  const fs = new HostFs(wholeFileSystem, { stdin: silent, stdout: silent, stderr: silent }, {});
  const vm = createVm([fs.patch]);
  vm.setUp((L) => vm.lua.luaL_openlibs(L));
  installStdlib(vm, fs, { level: 'full', processes: null });
  vm.setUp((L) => {
    const limits = { memoryBytes: 0, maxInstructions: 0, maxOutputBytes: 0, maxValueBytes: 1e6, maxValueDepth: 100 };
    installState(vm, L, { port, limits, calls: [], onEvent: () => undefined });
    vm.pushFunction(L, (at) => {
      const values = Array.from({ length: vm.lua.lua_gettop(at) }, (_, i) => vm.text(at, i + 1));
      console.log(values.join(' '));
      return 0;
    });
    vm.lua.lua_setglobal(L, vm.cstring('report'));
  });
  return { vm, stored: () => stored, store: (value) => (stored = value) };
}

const [mode, file] = process.argv.slice(2);
const { vm, stored, store } = await machine();
const { lua } = vm;
const resume = (thread, args) => {
  const status = lua.lua_resume(thread, vm.L, args, vm.scratch);
  console.log(status === YIELDED ? 'yield' : `status ${status}`, vm.text(thread, -1));
  return status;
};

if (mode === 'start') {
  let thread = 0;
  vm.setUp((L) => {
    thread = lua.lua_newthread(L);
    lua.lua_setglobal(L, vm.cstring('thread kept alive'));
    vm.load(thread, Buffer.from(SCRIPT), '=script');
  });
  resume(thread, 0);
  writeFileSync(file, JSON.stringify({ thread, stored: [...stored()] }));
  writeFileSync(`${file}.memory`, deflateSync(vm.u8, { level: 1 }));
} else {
  const { thread, stored } = JSON.parse(readFileSync(file, 'utf8'));
  const memory = inflateSync(readFileSync(`${file}.memory`));
  vm.grow(memory.length);
  vm.u8.set(memory);
  store(new Uint8Array(stored));
  lua.lua_settop(thread, 0);
  lua.lua_pushinteger(thread, 42n);
  resume(thread, 1);
}
