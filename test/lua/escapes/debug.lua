-- The debug library, which elsewhere is the classic way out of a sandbox.
attempt('the registry', 'nil', function() return debug.getregistry end)
attempt('the interactive debugger, which reads code', 'nil', function() return debug.debug end)
attempt('upvalues of C functions are not shown', '0', function()
  return select('#', debug.getupvalue(string.gmatch('a', 'a'), 1))
end)
attempt('upvalues of C functions are not changed', 'a', function()
  local next_match = string.gmatch('a', 'a')
  for i = 1, 5 do debug.setupvalue(next_match, i, nil) end
  return next_match()
end)
attempt('the file of a line iterator is not exchanged', 'line', function()
  local f = io.open(JAIL .. '/lines', 'w')
  f:write('line\n')
  f:close()
  local lines = io.lines(JAIL .. '/lines')
  for i = 1, 5 do debug.setupvalue(lines, i, 42) end
  return lines()
end)
attempt('guarded functions do not show their originals', '0', function()
  return select('#', debug.getupvalue(load, 1)) + select('#', debug.getupvalue(debug.getupvalue, 1))
end)
attempt('C frames do not show their stack', 'nothing', function()
  local seen = 'nothing'
  string.gsub('a', 'a', function()
    for slot = 1, 50 do
      if debug.getlocal(2, slot) or debug.getlocal(2, -slot) then seen = 'slot ' .. slot end
    end
  end)
  return seen
end)
attempt('C frames do not have their stack changed', 'xyz', function()
  return (string.gsub('abc', '.', function(c)
    for slot = -10, 50 do debug.setlocal(2, slot, 'overwritten') end
    return ({ a = 'x', b = 'y', c = 'z' })[c]
  end))
end)
attempt('a sort does not have its table exchanged', '1 2 3', function()
  local t = { 3, 1, 2 }
  table.sort(t, function(a, b)
    for slot = 1, 20 do debug.setlocal(2, slot, 'overwritten') end
    return a < b
  end)
  return table.concat(t, ' ')
end)
attempt('C frames of another coroutine', 'nothing', function()
  local co = coroutine.create(function() coroutine.yield() end)
  coroutine.resume(co)
  local seen = 'nothing'
  for level = 0, 5 do
    for slot = 1, 20 do
      local info = debug.getinfo(co, level, 'S')
      if info and info.what == 'C' and debug.getlocal(co, level, slot) then seen = 'slot' end
    end
  end
  return seen
end)
attempt('levels that mean another one when cut to 32 bits', '', debug.getlocal, 1 << 40, 1)
attempt('levels far beyond the stack', '~level out of range', debug.getlocal, 1 << 30, 1)
attempt('levels that are no integers', '~number has no integer representation', debug.getlocal, 1.5, 1)
attempt('levels that are strings of numbers', 'nothing', function()
  local seen = 'nothing'
  string.gsub('a', 'a', function()
    if debug.getlocal('2', 1) or debug.getlocal('2', -1) then seen = 'a slot' end
  end)
  return seen
end)
attempt('upvalues of C functions joined', '~Lua function expected', function()
  return debug.upvaluejoin(string.gmatch('a', 'a'), 1, function() return attempt end, 1)
end)
attempt('a user value put on a file', 'nil', debug.setuservalue, io.stdout, {}, 1)
attempt('every C function found on the stack, called by hand', 'alive', function()
  for level = 1, 20 do
    local info = debug.getinfo(level, 'Sf')
    if info and info.what == 'C' and info.func ~= pcall then pcall(info.func) end
  end
  return 'alive'
end)
attempt('a hook that raises is an ordinary error', '~from the hook', function()
  debug.sethook(function() debug.sethook() error('from the hook') end, '', 1)
  for i = 1, 100 do end
end)
attempt('a traceback of nonsense', '~bad argument', debug.traceback, coroutine.create(print), 'x', {})
attempt('nothing but Lua values, C functions and files can be reached', 'only those', function()
  local seen, strange = {}, nil
  local pending = { _G }
  local function visit(value)
    local kind = type(value)
    if kind == 'userdata' and io.type(value) == nil then strange = tostring(value) end
    if (kind == 'table' or kind == 'function' or kind == 'userdata' or kind == 'thread') and not seen[value] then
      seen[value] = true
      pending[#pending + 1] = value
    end
  end
  while #pending > 0 do
    local value = table.remove(pending)
    local mt = debug.getmetatable(value)
    if mt then visit(mt) end
    if type(value) == 'table' then
      for k, v in next, value do visit(k) visit(v) end
    elseif type(value) == 'function' then
      for i = 1, 255 do
        local name, v = debug.getupvalue(value, i)
        if not name then break end
        visit(v)
      end
    end
  end
  return strange or 'only those'
end)
