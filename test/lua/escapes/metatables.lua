-- Metatables that are forged, shared or taken apart.
attempt('a table with a file\'s metatable is no file', '~FILE* expected', function()
  return io.close(setmetatable({}, getmetatable(io.stdout)))
end)
attempt('a file method on a forged file', '~FILE* expected', function()
  local forged = setmetatable({}, getmetatable(io.stdout))
  return forged:write('x')
end)
attempt('a name alone makes no file', 'nil', function() return io.type(setmetatable({}, { __name = 'FILE*' })) end)
attempt('a file finalized by hand is closed, and stays closed', '~closed file', function()
  local f = io.open(JAIL .. '/finalized', 'w')
  getmetatable(f).__gc(f)
  getmetatable(f).__gc(f)
  return f:write('x')
end)
attempt('a finalizer called on something else', '~FILE* expected, got string', function() return getmetatable(io.stdout).__gc('x') end)
attempt('methods taken off a file and put on a number', '~FILE* expected, got number', function()
  return getmetatable(io.stdout).__index.write(42, 'x')
end)
attempt('a metatable put on a userdata', '~cannot change the metatable of a userdata', debug.setmetatable, io.stdout, {})
attempt('a metatable put on light userdata', '~cannot change the metatable of a userdata', function()
  local light = debug.upvalueid(function() return attempt end, 1)
  return debug.setmetatable(light, getmetatable(io.stdout))
end)
attempt('light userdata used as a file', '~FILE* expected', function()
  return io.close(debug.upvalueid(function() return attempt end, 1))
end)
attempt('strings taught new tricks stay this script\'s own', 'abc!', function()
  local strings = getmetatable('').__index
  strings.shout = function(s) return s .. '!' end
  return ('abc'):shout()
end)
attempt('string methods replaced under the libraries', 'a,b', function()
  local format = string.format
  string.format = function() error('taken') end
  local joined = table.concat({ 'a', 'b' }, ',')
  string.format = format
  return joined
end)
attempt('getmetatable("").__index as a function', 'found', function()
  local mt = getmetatable('')
  local index = mt.__index
  mt.__index = function() return 'found' end
  local found = ('x').anything
  mt.__index = index
  return found
end)
attempt('__tostring that returns no string', "~'__tostring' must return a string", function()
  return tostring(setmetatable({}, { __tostring = function() return {} end }))
end)
attempt('__index that refers to itself', "~'__index' chain too long; possible loop", function()
  local t = {}
  setmetatable(t, t)
  t.__index = t
  return t.x
end)
attempt('__gc that resurrects, collects and raises', 'alive', function()
  local kept
  for i = 1, 100 do
    setmetatable({}, { __gc = function(t) kept = t collectgarbage() error('in __gc') end })
  end
  collectgarbage() collectgarbage()
  return kept and 'alive'
end)
attempt('__close that raises while an error is under way', '~in close', function()
  local c <close> = setmetatable({}, { __close = function() error('in close') end })
  error('first')
end)
attempt('a metamethod that yields inside a sort', '~attempt to yield across a C-call boundary', function()
  local mt = { __lt = function() coroutine.yield() end }
  return coroutine.wrap(function()
    return pcall(table.sort, { setmetatable({}, mt), setmetatable({}, mt), setmetatable({}, mt) })
  end)()
end)
attempt('a protected metatable', '~cannot change a protected metatable', function()
  return setmetatable(setmetatable({}, { __metatable = 'locked' }), {})
end)
attempt('_ENV replaced', "~attempt to index a nil value (global 'os')", function()
  local _ENV = {}
  return os.time()
end)
attempt('_G with a metatable that lies', 'invented', function()
  setmetatable(_G, { __index = function() return 'invented' end })
  local value = does_not_exist
  setmetatable(_G, nil)
  return value
end)
