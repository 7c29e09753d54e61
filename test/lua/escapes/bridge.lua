-- The bridge to the host: the State table is made of functions of the host.
local function afterwards(...)
  State.set('k', 'sound')
  assert(State.get('k') == 'sound')
  return ...
end
attempt('wrong calls by the thousand', 'alive', function()
  for i = 1, 5000 do
    pcall(State.set) pcall(State.get, {}) pcall(State.set, 'a', 'b', print) pcall(State.update, 'k') pcall(State.list, 'x', 'y')
  end
  return afterwards('alive')
end)
attempt('values that cannot be stored, by the thousand', 'alive', function()
  local cycle = {} cycle.self = cycle
  local values = { print, coroutine.create(print), io.stdout, cycle, { { { f = print } } } }
  for i = 1, 1000 do for _, value in ipairs(values) do assert(not pcall(State.set, 'k', value)) end end
  return afterwards('alive')
end)
attempt('errors thrown out of update by the thousand', 'alive', function()
  for i = 1, 2000 do pcall(State.update, 'global', 'k', function() error({ i }) end) end
  return afterwards('alive')
end)
attempt('errors thrown out of transactions by the thousand', 'alive', function()
  for i = 1, 1000 do pcall(State.transaction, function() State.set('k', i) error('no') end) end
  assert(State.get('k') == 'sound')
  return afterwards('alive')
end)
attempt('update inside update without end', 'false', function()
  local function recurse() return State.update('global', 'k', recurse) end
  return afterwards((pcall(recurse)))
end)
attempt('transactions inside transactions without end', 'false', function()
  local function recurse() return State.transaction(recurse) end
  return afterwards((pcall(recurse)))
end)
attempt('yielding out of update', '~attempt to yield across a C-call boundary', function()
  return afterwards(coroutine.wrap(function() return pcall(State.update, 'global', 'k', coroutine.yield) end)())
end)
attempt('yielding out of a transaction', '~attempt to yield across a C-call boundary', function()
  return afterwards(coroutine.wrap(function() return pcall(State.transaction, coroutine.yield) end)())
end)
attempt('a coroutine abandoned inside a transaction', 'sound', function()
  State.set('k', 'sound')
  local co = coroutine.create(function() State.transaction(function() State.set('k', 'lost') coroutine.yield() end) end)
  coroutine.resume(co)
  coroutine.close(co)
  return State.get('k')
end)
attempt('metamethods in stored tables are not called', 'plain', function()
  local called
  local mt = { __index = function() called = 'called' end, __pairs = function() called = 'called' return next, {} end, __len = function() called = 'called' return 99 end }
  pcall(State.set, 'k', setmetatable({ 1, 2 }, mt))
  return afterwards(called or 'plain')
end)
attempt('host functions in sort, gsub, metamethods and coroutines', '3 done', function()
  local t = { 3, 1, 2 }
  table.sort(t, function(a, b) State.increment('global', 'n', 1) return a < b end)
  local s = string.gsub('x', 'x', function() State.set('k', 1) return 'done' end)
  local last = coroutine.wrap(function() return State.update('global', 'last', function() return t[3] end) end)()
  return afterwards(last, s)
end)
attempt('functions of State keep nothing to take', '0', function()
  local n = 0
  for _, fn in pairs(State) do for i = 1, 10 do n = n + select('#', debug.getupvalue(fn, i)) end end
  return n
end)
attempt('functions of State replaced', 'mine', function()
  local get = State.get
  State.get = function() return 'mine' end
  local got = State.get('k')
  State.get = get
  return afterwards(got)
end)
attempt('keys of every kind of bytes stay apart', 'one two', function()
  State.set('a:b', 'c', 'one')
  State.set('a', 'b:c', 'two')
  State.set('a\0', 'b:c', 'three')
  return State.get('a:b', 'c'), State.get('a', 'b:c')
end)
attempt('keys that look like the store\'s own', '~value', function()
  for _, key in ipairs { '\0', '\xff', '\0\0\0', '__proto__', 'constructor', '../..', ('x'):rep(10000) } do
    State.set(key, key, 'value')
    assert(State.get(key, key) == 'value')
  end
  return State.get('__proto__', '__proto__')
end)
attempt('tables with the keys that JavaScript objects have', 'proto 2', function()
  State.set('k', { __proto__ = 'proto', constructor = { prototype = 1 }, toString = 2 })
  local value = State.get('k')
  return value.__proto__, value.toString
end)
attempt('a value larger than allowed', '~', function() return afterwards(State.set('k', ('x'):rep(20000000))) end)
attempt('a value deeper than allowed', '~', function()
  local deep = {} for i = 1, 100000 do deep = { deep } end
  return afterwards(State.set('k', deep))
end)
