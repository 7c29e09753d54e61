-- Work that is too large, too deep or too odd ends in an ordinary error, and the machine goes on.
attempt('a string beyond all memory', '~resulting string too large', string.rep, 'x', 1 << 62)
attempt('a string larger than the machine', '~not enough memory', string.rep, 'x', (1 << 31) - 100)
attempt('a table that is said to be huge', '~too many results to unpack', table.unpack, {}, 1, 1e8 // 1)
attempt('concat of a range without end', '~invalid value (nil) at index 1', table.concat, {}, '', 1, math.maxinteger)
attempt('move with wrapping indices', '~', table.move, {}, math.maxinteger - 1, math.maxinteger, 2)
attempt('insert far outside', '~position out of bounds', table.insert, {}, 1 << 40, 'x')
attempt('select with the smallest integer', '~index out of range', select, math.mininteger, 'x')
attempt('a recursion without end', '~stack overflow', function() local function f() return 1 + f() end return f() end)
attempt('a recursion through pcall', 'true', function()
  local function f() return pcall(f) end
  return (f())
end)
attempt('a recursion through metamethods', '~stack overflow', function()
  local t = setmetatable({}, {})
  getmetatable(t).__index = function(_, k) return t[k .. 'x'] end
  return t.x
end)
attempt('a recursion through gsub', '~stack overflow', function()
  local function f() return (string.gsub('x', 'x', f)) end
  return f()
end)
attempt('a recursion through sort', '~stack overflow', function()
  local function f() table.sort({ 1, 2, 3 }, f) return true end
  return f()
end)
attempt('a recursion through require', '~', function()
  package.preload.again = function() package.loaded.again = nil return require('again') end
  return pcall(require, 'again')
end)
attempt('a recursion of coroutines', '~stack overflow', function()
  local function f() return coroutine.wrap(f)() end
  return f()
end)
attempt('a recursion of tostring', '~stack overflow', function()
  local t = setmetatable({}, {})
  getmetatable(t).__tostring = function(x) return tostring(x) end
  return tostring(t)
end)
attempt('a recursion of error handlers', 'false', function() return (xpcall(error, function() error() end)) end)
attempt('a program of parentheses', '~', load, 'return ' .. ('('):rep(100000) .. '1' .. (')'):rep(100000))
attempt('a program of nested functions', '~', load, ('return function() '):rep(10000) .. ('end '):rep(10000))
attempt('a program of local variables', '~too many local variables', load, ('local a '):rep(300))
attempt('a pattern too deep', '~pattern too complex', string.match, ('a'):rep(300000), ('.-'):rep(2) .. ('a?'):rep(250000) .. 'b')
attempt('a pattern with a broken class', '~malformed pattern', string.find, 'x', '[')
attempt('a pattern with an invalid capture', '~invalid capture index', string.gsub, 'x', 'x', '%9')
attempt('a format with a wide field', '~invalid conversion', string.format, '%1000d', 1)
attempt('a format with %n', '~invalid conversion', string.format, '%n', 1)
attempt('pack with sizes outside all bounds', '~', string.pack, 'i17', 1)
attempt('unpack past the end', '~data string too short', string.unpack, 'i8', 'x')
attempt('unpack with a position far outside', '~initial position out of string', string.unpack, 'i1', 'x', 1 << 40)
attempt('a utf8 code beyond all', '~value out of range', utf8.char, 1 << 40)
attempt('the collector with odd arguments', 'alive', function()
  for _, option in ipairs { 'stop', 'restart', 'collect', 'count', 'isrunning' } do collectgarbage(option) end
  collectgarbage('setpause', 0) collectgarbage('setstepmul', 0) collectgarbage('step', -1) collectgarbage('step', 1 << 30)
  collectgarbage('incremental', 1000, 1000, 63) collectgarbage('generational', 0, 0) collectgarbage('generational', 100, 1000)
  local t = {} for i = 1, 10000 do t[i % 100] = { i } end
  collectgarbage('incremental', 200, 100, 13)
  return 'alive'
end)
attempt('the collector called by what it collects', 'alive', function()
  for i = 1, 200 do setmetatable({}, { __gc = function() collectgarbage() setmetatable({}, { __gc = collectgarbage }) end }) end
  collectgarbage() collectgarbage()
  return 'alive'
end)
attempt('weak tables that lose their keys while they are walked', 'alive', function()
  local weak = setmetatable({}, { __mode = 'k' })
  for i = 1, 1000 do weak[{}] = i end
  for k in pairs(weak) do collectgarbage('step') end
  return 'alive'
end)
attempt('errors by the thousand', 'alive', function()
  for i = 1, 20000 do pcall(error, { i }) pcall(string.rep) pcall(io.open) pcall(load, {}) pcall(os.rename, 'x') end
  return 'alive'
end)
attempt('errors from host functions by the thousand, in coroutines', 'alive', function()
  for i = 1, 2000 do
    local co = coroutine.create(function() debug.setmetatable(io.stdout, {}) end)
    coroutine.resume(co)
    coroutine.close(co)
  end
  return 'alive'
end)
attempt('a coroutine closed from within', '~cannot close a running coroutine', function() return coroutine.close(coroutine.running()) end)
attempt('a coroutine resumed by itself', '~cannot resume non-suspended coroutine', function()
  return coroutine.resume(coroutine.running())
end)
