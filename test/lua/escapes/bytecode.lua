-- Bytecode is not checked by Lua: a chunk that was tampered with corrupts the machine. So none is ever loaded.
local code = string.dump(function() return 'ran' end)
local REFUSED = "~attempt to load a binary chunk"

attempt('load of dumped code', REFUSED, load, code)
attempt('load of dumped code, mode b', REFUSED, load, code, 'x', 'b')
attempt('load of dumped code, mode bt', REFUSED, load, code, 'x', 'bt')
attempt('load of dumped code, a mode with a NUL', REFUSED, load, code, 'x', 'b\0t')
attempt('load of dumped code in pieces', REFUSED, function()
  local at = 0
  return load(function() at = at + 1 return at <= #code and code:sub(at, at) or nil end)
end)
attempt('load of dumped code in a coroutine', REFUSED, coroutine.wrap(load), code)
attempt('load of dumped code through pcall', REFUSED, function() return select(2, pcall(load, code)), select(3, pcall(load, code)) end)
attempt('load of a header alone', REFUSED, load, '\27Lua')
attempt('load of the escape character alone', REFUSED, load, '\27')

local function file(name, content)
  local f = assert(io.open(JAIL .. '/' .. name, 'wb'))
  f:write(content)
  f:close()
  return JAIL .. '/' .. name
end
local NOT_REOPENED = '~cannot reopen'
attempt('loadfile of dumped code', NOT_REOPENED, loadfile, file('code.luac', code))
attempt('loadfile of dumped code, mode b', NOT_REOPENED, loadfile, file('code.luac', code), 'b')
attempt('loadfile of dumped code behind a comment', NOT_REOPENED, loadfile, file('comment.luac', '# comment\n' .. code))
attempt('loadfile of dumped code behind a byte-order mark', NOT_REOPENED, loadfile, file('bom.luac', '\xef\xbb\xbf' .. code))
attempt('dofile of dumped code', NOT_REOPENED, dofile, file('code.luac', code))
attempt('require of dumped code', NOT_REOPENED, function()
  file('module.luac', code)
  package.path = JAIL .. '/?.luac'
  return require('module')
end)
attempt('a searcher called by hand', NOT_REOPENED, function()
  package.path = JAIL .. '/?.luac'
  return package.searchers[2]('module')
end)
attempt('dofile of dumped code from stdin', REFUSED, dofile)
attempt('string.dump itself gives only a string', 'string', function() return type(string.dump(load('return 1'))) end)
attempt('string.dump of a C function', '~unable to dump given function', string.dump, print)
