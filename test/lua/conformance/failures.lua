-- failures with the numbers that this system has for them (6.8, 6.9), in the directory given
local dir = ...
print(io.open('/nope/x')) print(io.open('/etc/passwd/x')) print(io.open('/etc', 'w')) print(os.remove('/nope')) print(os.rename('/nope', '/nope2')) print(os.rename('/etc', '/etc'))
local f = io.open(dir .. '/n.txt', 'w') print(f:read('a')) print(f:read()) print(f:seek('set', -1)) print(f:read(1)) f:close() f = io.open(dir .. '/n.txt') print(f:write('x')) print(f:seek('set', -5)) print(f:write('y'), f:flush()) f:close()
print(io.open('/etc'):read('a')) print(io.open('/etc'):read(1)) print(io.open('/etc'):read()) print(io.open('/dev/full', 'w'):write(('x'):rep(100000))) local g = io.open('/dev/full', 'w') g:write('x') print(g:flush()) print(g:close()) print(os.remove(dir .. '/n.txt'))
print(io.popen('exit 3'):close()) print(io.popen('cat', 'w'):read()) print(select(3, io.open(('x'):rep(300)))) print(io.open('')) print(os.remove(dir .. '/none'), os.rename(dir .. '/none', dir .. '/x'), os.remove('/dev/null/x'))
