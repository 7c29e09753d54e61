/** Scripts that never end, each in its own way, by what they do. Nobody else opens the three named pipes. They may start processes and have a `State`. */
export const endless = ([written, read, required]: readonly string[]): Readonly<Record<string, string>> => ({
  'a loop': 'while true do end',
  'pcall in a loop': 'while true do pcall(function() while true do end end) end',
  'a handler of xpcall': 'xpcall(error, function() while true do end end)',
  'a coroutine': 'coroutine.wrap(function() while true do end end)()',
  'one match of a pattern': 'string.find(("a"):rep(60), ("a?"):rep(60) .. ("a"):rep(60) .. "b")',
  'a comparison of table.sort': 'table.sort({ 1, 2, 3 }, function() while true do end end)',
  'one table.sort':
    'table.sort(setmetatable({}, { __len = function() return 1e9 end, __index = function() return 1 end }))',
  'long strings': 'while true do local s = ("x"):rep(1e8) end',
  'a finalizer': 'setmetatable({}, { __gc = function() while true do end end }) collectgarbage()',
  'a finalizer at the end': 'LEFT = setmetatable({}, { __gc = function() while true do end end })',
  'a <close> variable': 'local x <close> = setmetatable({}, { __close = function() while true do end end })',
  'a <close> variable of a coroutine that is closed': `local co = coroutine.create(function()
     local x <close> = setmetatable({}, { __close = function() while true do end end }) coroutine.yield() end)
     coroutine.resume(co) coroutine.close(co)`,
  'os.execute': 'os.execute("sleep 9")',
  'a process that ignores signals': `os.execute("trap '' TERM INT HUP; sleep 9; sleep 9")`,
  'reading a process': 'io.popen("sleep 9"):read()',
  'closing a process': 'io.popen("sleep 9"):close()',
  'writing to a process': 'local p = io.popen("sleep 9", "w") while true do p:write(("x"):rep(1e6)) end',
  'opening a pipe': `io.open("${written}", "w")`,
  'reading a pipe': `io.open("${read}"):read()`,
  'require of a pipe': `package.path = "${required}" require("pipe")`,
  'reading a device': 'local f = io.open("/dev/zero") while f:read(65536) do end',
  printing: 'while true do print("again and again") end',
  'State.set': 'for i = 1, math.huge do State.set("k" .. i, i) end',
  'State.set of a megabyte': 'local s = ("x"):rep(1e6) for i = 1, math.huge do State.set("k" .. i % 9, s) end',
  'State.flush': 'for i = 1, math.huge do State.set("k", i) State.flush() end',
  'State.update': 'State.update("u", function() while true do end end)',
  'State.transaction': 'State.transaction(function() for i = 1, math.huge do State.set("t" .. i % 99, i) end end)',
  'State.list': 'while true do State.list("global") end',
});

/** Those that wait for the outside; what is outside does nothing. */
export const waiting: Readonly<Record<'stdin' | 'stdout' | 'stderr', string>> = {
  stdin: 'io.read()',
  stdout: 'while true do print("again and again") end',
  stderr: 'while true do io.stderr:write("again and again") end',
};
