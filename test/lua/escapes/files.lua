-- A jail of one directory. Outside lie a secret, and a file that must not be created.
local REFUSED = '~Operation not permitted'
local secret = OUTSIDE .. '/secret.txt'

local function read(path)
  local f, message = io.open(path)
  if not f then return message end
  local text, failed = f:read('a')
  f:close()
  return text or failed
end
local function write(path)
  local f, message = io.open(path, 'w')
  if not f then return message end
  f:write('overwritten')
  f:close()
  return 'written'
end
for _, path in ipairs {
  secret, JAIL .. '/../secret.txt', JAIL .. '/sub/../../secret.txt', JAIL .. '/./../secret.txt', JAIL .. '//..//secret.txt',
  JAIL .. '/out', JAIL .. '/out_dir/secret.txt', JAIL .. '/chain', JAIL .. '/sub/../out', '../secret.txt',
  '/etc/passwd', '/etc/../etc/passwd', '/proc/self/environ', '/proc/self/mem', '/proc/self/fd/0', '/proc/1/cmdline',
  '/proc/self/root' .. secret, '/proc/self/cwd', '/dev/fd/0', '/dev/stdin', '/dev/null', '/dev/zero', '/dev/mem', '/dev/tty', '/dev/full',
  JAIL .. '/proc/self/environ', JAIL .. '/device', '/', '/nowhere/at/all', JAIL .. '-not/x', '/sys/kernel/notes',
} do
  local name = path:gsub('^' .. JAIL:gsub('%p', '%%%0'), 'JAIL'):gsub('^' .. OUTSIDE:gsub('%p', '%%%0'), 'OUTSIDE')
  attempt('reading ' .. name, REFUSED, read, path)
  attempt('writing ' .. name, REFUSED, write, path)
end
attempt('creating through a dangling link', REFUSED, write, JAIL .. '/dangling')
attempt('a loop of links', '~: ', read, JAIL .. '/loop')
attempt('a named pipe, which would wait for ever', REFUSED, read, JAIL .. '/pipe')
attempt('lines of a file outside', REFUSED, function() for line in io.lines(secret) do return line end end)
attempt('io.input outside', REFUSED, io.input, secret)
attempt('io.output outside', REFUSED, io.output, OUTSIDE .. '/new.txt')
attempt('loadfile outside', REFUSED, loadfile, secret)
attempt('dofile outside', REFUSED, dofile, secret)
attempt('removing a file outside', REFUSED, os.remove, secret)
attempt('removing through a link to a directory', REFUSED, os.remove, JAIL .. '/out_dir/secret.txt')
attempt('removing the jail', REFUSED, os.remove, JAIL)
attempt('moving a file in', REFUSED, os.rename, secret, JAIL .. '/mine')
attempt('moving a file out', REFUSED, os.rename, JAIL .. '/in.txt', OUTSIDE .. '/mine')
attempt('moving the jail into itself', REFUSED, os.rename, JAIL, JAIL .. '/sub/jail')
attempt('moving a link and reading through it from its new place', '~No such file or directory', function()
  assert(os.rename(JAIL .. '/out', JAIL .. '/sub/out'))
  local seen = read(JAIL .. '/sub/out')
  assert(os.rename(JAIL .. '/sub/out', JAIL .. '/out'))
  return seen
end)
attempt('moving a directory under a relative link', REFUSED, function()
  -- sub/up leads to JAIL (..); one level higher it leads out.
  assert(os.rename(JAIL .. '/sub/up', JAIL .. '/up'))
  local seen = read(JAIL .. '/up/secret.txt')
  assert(os.rename(JAIL .. '/up', JAIL .. '/sub/up'))
  return seen
end)
attempt('a temporary file outside', REFUSED, io.tmpfile)
attempt('a temporary name outside', '~unable to generate a unique filename', os.tmpname)
attempt('a name with a NUL is cut there, for the check and for the file', 'inside', read, JAIL .. '/in.txt\0/../../secret.txt')
attempt('a NUL before the way out', 'Is a directory', read, JAIL .. '/\0../secret.txt')
attempt('a name of 5000 letters', '~name too long', read, JAIL .. '/' .. ('x'):rep(5000))
attempt('a path of 100,000 letters', '~: ', read, JAIL .. ('/sub/..'):rep(15000) .. '/in.txt')
attempt('a long way round inside', 'inside', read, JAIL .. ('/sub/..'):rep(100) .. '/in.txt')
attempt('a name that is not UTF-8', '~No such file or directory', read, JAIL .. '/\xff\xfe')
attempt('a name with a line end', '~No such file or directory', read, JAIL .. '/a\nb')
attempt('an overlong encoding of a slash', '~No such file or directory', read, JAIL .. '/..\xc0\xafsecret.txt')
attempt('percent encoding means nothing', '~No such file or directory', read, JAIL .. '/%2e%2e%2fsecret.txt')
attempt('a tilde means nothing', '~No such file or directory', read, JAIL .. '/~')
attempt('a URL means nothing', REFUSED, read, 'file://' .. secret)
attempt('an empty name', '~No such file or directory', read, '')
attempt('a file as a directory', '~Not a directory', read, JAIL .. '/in.txt/..')
attempt('a directory reads as one', '~Is a directory', read, JAIL)
attempt('what is inside', 'inside', read, JAIL .. '/sub/../in.txt')
attempt('files opened by the thousand', '~No file descriptors available', function()
  local open = {}
  for i = 1, 2000 do
    local f, message = io.open(JAIL .. '/in.txt')
    if not f then return message end
    open[i] = f
  end
end)
attempt('files opened and closed by the thousand', 'inside', function()
  collectgarbage()
  for i = 1, 3000 do io.open(JAIL .. '/in.txt'):close() end
  return read(JAIL .. '/in.txt')
end)
