-- The package library: code from elsewhere.
attempt('a C library loaded by hand', 'nil', function() return package.loadlib end)
attempt('a C library required', "~module 'shared' not found", function()
  package.cpath = JAIL .. '/?.so'
  io.open(JAIL .. '/shared.so', 'w'):write('\127ELF'):close()
  return require('shared')
end)
attempt('the searchers for C libraries', '2', function() return #package.searchers end)
attempt('a module outside', "~module 'secret' not found", function()
  package.path = OUTSIDE .. '/?.txt;' .. JAIL .. '/../?.txt;' .. JAIL .. '/out_dir/?.txt'
  return require('secret')
end)
attempt('a module name with dots for directories', '~not found', function()
  package.path = JAIL .. '/?'
  return require('../secret.txt')
end)
attempt('searchpath as an oracle for files outside', 'nil', function()
  return (package.searchpath('secret', OUTSIDE .. '/?.txt'))
end)
attempt('searchpath with a name of NULs', 'nil', function() return (package.searchpath('a\0b', JAIL .. '/?\0.lua')) end)
attempt('package.path as something else', "~'package.path' must be a string", function()
  package.path = setmetatable({}, { __tostring = function() return '/etc/?' end })
  return require('passwd')
end)
attempt('package.config with odd separators', '~not found', function()
  package.config = 'x\0y\n?\n!\n-\n'
  package.path = '/etc/?'
  return require('passwd')
end)
attempt('the libraries loaded again give what is there', 'true', function()
  return package.loaded.os == os and package.loaded._G == _G and package.loaded.io.popen == io.popen
end)
attempt('a loader of our own is called with a name only', 'mine :preload: :preload:', function()
  package.preload.mine = function(...) return table.concat({ ... }, ' ') end
  return require('mine')
end)
attempt('a module that requires itself', '~', function()
  io.open(JAIL .. '/self.lua', 'w'):write("return require('self')"):close()
  package.path = JAIL .. '/?.lua'
  return require('self')
end)
