-- Odd sizes, names, modes and moments.
local function file()
  local f = assert(io.open(JAIL .. '/in.txt'))
  return f
end
attempt('a buffer of a terabyte', 'true inside', function()
  local f <close> = file()
  return f:setvbuf('full', 1 << 40), f:read('a')
end)
attempt('a buffer of less than nothing', 'true inside', function()
  local f <close> = file()
  return f:setvbuf('full', -1), f:read('a')
end)
attempt('reading less than nothing', '~not enough memory', function()
  local f <close> = file()
  return f:read(-1)
end)
attempt('seeking before the start', '~Invalid argument', function()
  local f <close> = file()
  return f:seek('set', -1)
end)
attempt('seeking beyond everything', '~Invalid argument', function()
  local f <close> = file()
  return f:seek('set', 1 << 62)
end)
attempt('lines of more formats than there may be', '~too many arguments', function()
  return io.lines(JAIL .. '/in.txt', table.unpack(table.move({ 'l' }, 1, 1, 260, { 'l' }), 1, 260))
end)
attempt('a file closed while its lines are read', '~file is already closed', function()
  local f = file()
  for _ in f:lines(1) do f:close() end
end)
for _, mode in ipairs { '', 'x', 'rw', 'w+x', 'ax', 're', 'r,ccs=UTF-16', '\0r' } do
  attempt(('the mode %q'):format(mode), '~invalid mode', io.open, JAIL .. '/in.txt', mode)
end
local path = package.path
local NAMES = { '..', '/', '../secret', '../../secret', 'sub/../../secret', 'a\0../secret', 'out_dir/secret', '?', ';', '%s', '' }
for _, name in ipairs(NAMES) do
  for _, template in ipairs { JAIL .. '/?', JAIL .. '/?.txt', OUTSIDE .. '/?.txt', JAIL .. '/out_dir/?.txt', '?;?' .. OUTSIDE .. '/secret.txt' } do
    attempt(('require of %q by %s'):format(name, template), '~module', function()
      package.path = template
      return require(name)
    end)
  end
end
attempt('a template of a hundred thousand marks', '~not found', function()
  package.path = ('?'):rep(1e5)
  return require('ab')
end)
attempt('a module name of a million letters', '~not found', function()
  package.path = JAIL .. '/?.lua'
  return require(('x'):rep(1e6))
end)
package.path = path
attempt('a locale with a name of a million letters', 'nil', os.setlocale, ('x'):rep(1e6))
attempt('a category that is none', '~invalid option', os.setlocale, nil, ('x'):rep(1e6))
attempt('a date of half a million letters', 'true', function() return #os.date(('%c'):rep(20000)) > 400000 end)
attempt('a date that ends in a per cent sign', '~invalid conversion specifier', os.date, '%')
attempt('a separator that makes a string too large', '~too large', string.rep, 'x', 1e5, ('y'):rep(1e5))
attempt('200,000 arguments for the host', '~string expected, got nil', function() return State.set(table.unpack({}, 1, 200000)) end)
attempt('coroutines in coroutines without end', '~stack overflow', function()
  local function deeper() return coroutine.wrap(deeper)() end
  return deeper()
end)
attempt('a hundred thousand coroutines at once', '100000', function()
  local all = {}
  for i = 1, 1e5 do all[i] = coroutine.create(print) end
  return #all
end)
attempt('a hook that yields', '~attempt to yield across a C-call boundary', coroutine.wrap(function()
  local ok, message = pcall(function()
    debug.sethook(function() debug.sethook() coroutine.yield() end, 'c')
    return string.rep('x', 2)
  end)
  return message
end))
attempt('finalizers that open files and make patterns', 'inside', function()
  for _ = 1, 1000 do
    setmetatable({}, { __gc = function() for _ in ('a b'):gmatch('%a') do io.open(JAIL .. '/in.txt'):close() end end })
  end
  collectgarbage()
  local f <close> = file()
  return f:read('a')
end)
attempt('a metatable for nil, for functions and for coroutines is this script\'s own', 'x 1 1', function()
  local coroutine_ = coroutine.create(print)
  debug.setmetatable(nil, { __index = function(_, key) return key end })
  debug.setmetatable(print, { __index = { constructor = 1 } })
  debug.setmetatable(coroutine_, { __index = { constructor = 1 } })
  local a, b, c = (nil).x, print.constructor, coroutine_.constructor
  for _, value in ipairs { print, coroutine_ } do debug.setmetatable(value, nil) end
  debug.setmetatable(nil, nil)
  return a, b, c
end)
attempt('a code with an environment of its own reaches what that has, and no more', '~global \'io\'', function()
  return load('return io.open', 'x', 't', setmetatable({}, { __index = { _G = {} } }))()
end)
attempt('a text that turns into code half-way', '~unexpected symbol', function()
  local parts = { 'return ', '\27Lua', string.dump(function() return 1 end), nil }
  local i = 0
  return assert(load(function() i = i + 1 return parts[i] end))
end)
attempt('moments that are none', '~bad argument', function() return State.at({}) end)
attempt('names for backups that lead elsewhere', '~', function() return State.validate_backup and State.validate_backup('../../secret') end)
