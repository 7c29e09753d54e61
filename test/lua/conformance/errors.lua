-- error, assert, pcall, xpcall, messages with names and positions, tracebacks (2.3, 6.1)
print(pcall(error)) print(pcall(error, nil)) print(pcall(error, 'm')) print(pcall(error, 'm', 0)) print(pcall(error, { 1 }) == false) print(select(2, pcall(error, setmetatable({}, { __tostring = function() return 'obj' end }))))
local function lvl(n) error('level', n) end print(pcall(lvl, 0), pcall(lvl, 1), pcall(function() lvl(2) end))
print(pcall(assert, false), pcall(assert, nil, 'msg'), pcall(assert, false, { 1 }) == false, assert(1, 2, 3), pcall(assert), select('#', assert(1, nil)))
print(xpcall(function() error('x', 0) end, function(m) return 'handled ' .. m end)) print(xpcall(function(...) return select('#', ...), ... end, print, 1, nil)) print(xpcall(error, function() error('again') end) == false, pcall(xpcall), pcall(xpcall, print))
print(xpcall(function() local x = nil; x.y = 1 end, function(m) return (m:gsub('^.-:%d+:', '')) end))
local t, upv = {}, nil
for _, f in ipairs { function() t.a.b = 1 end, function() upv.x = 1 end, function() nothere() end, function() t.nofield() end, function() t:nomethod() end, function() return t + 1 end, function() return 'a' + 1 end, function() return t .. 'x' end, function() return #5 end, function() return t < 1 end, function() return upv[1] end, function() local l = 5 l() end, function() return 1 // 0 end, function() t[nil] = 1 end, function() return ('x'):bad() end, function() return 2^53 | 0.5 end, function() for i = 1, 'x' do end end, function() return math.floor({}) end, function() return ('x'):rep(1e10) end, function() string.rep() end, function() setmetatable({}, {}).x.y = 1 end, function() return -{} end, function() return t.x.y.z end, function() return (1)() end, function() return tostring() end, function() io.open() end, function() return ipairs() end } do print(pcall(f)) end
local function deep(n) if n == 0 then error('bottom') end deep(n - 1) return n end
print((select(2, xpcall(deep, debug.traceback, 3)):gsub('\n[^\n]*xpcall.*', '')))
print((debug.traceback('msg', 1):gsub('\n%s+%[C%].*', '')))
print(select(2, pcall(string.dump, print)), debug.traceback({}) ~= nil, debug.traceback(nil) == nil, (debug.traceback('only')):match('^only\nstack traceback:\n') ~= nil)
local info = debug.getinfo(1, 'Sl') print(info.short_src:match('[^/]*$'), info.currentline, info.what, debug.getinfo(print).what, debug.getinfo(deep, 'u').nparams, debug.getinfo(deep, 'S').linedefined)
do local function named(a, b) local c = 3 return debug.getlocal(1, 1), debug.getlocal(1, 3), select(2, debug.getlocal(1, 2)) end print(named(1, 2)) end
do local up = 5 local function f() return up end print(debug.getupvalue(f, 1), debug.setupvalue(f, 1, 6), f(), debug.upvalueid(f, 1) == debug.upvalueid(f, 1)) end
do local count = 0 debug.sethook(function() count = count + 1 end, 'l') local x = 1
  x = 2
  debug.sethook() print(count > 0, debug.gethook()) end
print(pcall(error, 'with\0nul', 0)) print(#select(2, pcall(error, ('long'):rep(1000), 0)))
local function so() return so() + 1 end local ok, m = pcall(so) print(ok, m:match('stack overflow') ~= nil) local ok2, m2 = pcall(string.rep, 'x', -1) print(ok2, m2)
print(load('x = ', 'chunk'), load('x = ', '@file.lua'), load('x = ', '=name'), load('x = \n\n y z', 'multi\nline'), load('x = ', ('long'):rep(50)))
warn('@on') warn('a', 'b') warn('@off') warn('unseen') print(pcall(warn), pcall(warn, {}))
