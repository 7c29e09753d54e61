-- closures, upvalues, recursion, tail calls, method calls, to-be-closed variables (3.3.8, 3.4.10–11)
local function counter() local n = 0 return function() n = n + 1 return n end, function() return n end end
local inc, get = counter() inc() inc() local inc2 = counter() print(get(), inc2(), get())
local fs = {} for i = 1, 5 do fs[i] = function() i = i + 1 return i end end print(fs[1](), fs[1](), fs[2](), fs[5]())
local function fact(n) return n <= 1 and 1 or n * fact(n - 1) end print(fact(20), fact(21), fact(25.0))
local function loop(n) if n == 0 then return 'done' end return loop(n - 1) end print(loop(1000000))
local function even(n) if n == 0 then return true end return odd_(n - 1) end function odd_(n) if n == 0 then return false end return even(n - 1) end print(even(10001))
local obj = { n = 5 } function obj:get(x) return self.n + (x or 0) end function obj.static(x) return x end print(obj:get(), obj.get({ n = 1 }, 2), obj.static(3), ('x'):rep(2), #('abc'))
local function many() local t = {} for i = 1, 250 do t[i] = i end return table.unpack(t) end print(select('#', many()), (select(250, many())))
print((function(a, b, ...) return a, b, select('#', ...) end)(1), (function(...) local t = { ... } return #t end)(1, 2, 3))
-- <close>
do
  local log = {}
  local function closer(name, raises) return setmetatable({}, { __close = function(_, e) log[#log + 1] = name .. ':' .. tostring(e) if raises then error(raises, 0) end end }) end
  do local a <close> = closer('a') local b <close> = closer('b') local c <close> = nil local d <close> = false end
  print(table.concat(log, ' ')) log = {}
  print(pcall(function() local a <close> = closer('a') local b <close> = closer('b', 'from b') error('first', 0) end)) print(table.concat(log, ' ')) log = {}
  local function returns() local a <close> = closer('a') return 1, 2, 3 end print(returns()) print(table.concat(log, ' ')) log = {}
  for i = 1, 3 do local a <close> = closer('loop' .. i) if i == 2 then break end end print(table.concat(log, ' ')) log = {}
  local co = coroutine.wrap(function() local a <close> = closer('co') coroutine.yield(1) return 2 end) print(co(), co()) print(table.concat(log, ' ')) log = {}
  local c2 = coroutine.create(function() local a <close> = closer('closed') coroutine.yield() end) coroutine.resume(c2) print(coroutine.close(c2), coroutine.status(c2)) print(table.concat(log, ' ')) log = {}
  for k in (function() local n = 0 return function() n = n + 1 if n < 3 then return n end end, nil, nil, closer('for') end)() do io.write(k, ' ') end print(table.concat(log, ' '))
  print(pcall(function() local x <close> = {} end)) print(pcall(function() local x <close> = 42 end))
  local ok, e = pcall(function() local a <close> = closer('y', 'second') local b <close> = closer('z', 'third') end) print(ok, e)
end
do local x <const> = 5 local function f() return x end print(f()) end
print(load('local x <const> = 1; x = 2', '=c'))
-- environments
do local env = { print = print } local f = load('x = 1 print(x, _ENV.x) return y', 'c', 't', env) print(f(), env.x, x) end
local function sandbox() local _ENV = { y = 3 } return y end print(sandbox())
print(pcall(load, 'return 1', 'x', 'q'), load('return ...', 'n')(7), type(load(function() return nil end)), pcall(load('error("e")', '=name')), load('x ='))
local pieces = { 'return ', '1', ' + 2' } local n = 0 print(load(function() n = n + 1 return pieces[n] end)(), pcall(load, function() return {} end))
