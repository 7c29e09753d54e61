-- io.* (6.8), in the directory given as the first argument
local dir = ... local path = dir .. '/io.txt'
local f = assert(io.open(path, 'w')) print(io.type(f), io.type(io.stdout), io.type(1), tostring(f):match('^file %(0x') ~= nil) print(f:write('line 1\n', 2, ' ', 3.5, '\n', 'last') == f, f:close(), io.type(f), tostring(f), pcall(f.write, f, 'x'))
for line in io.lines(path) do io.write('[', line, ']') end for line in io.lines(path, 'L') do io.write('[', line, ']') end for a, b in io.lines(path, 1, 2) do io.write('<', a, b or '', '>') end print()
f = io.open(path) print(f:read('l', 'n', 'n', 'l', 'l', 'l')) print(f:read('a'), f:read('a'), f:read('l'), f:read(0), f:read('n')) print(f:seek('set'), f:read(4), f:seek(), f:seek('end'), f:seek('cur', -4), f:read('a'), f:seek('set', 100), f:read(1)) f:close()
f = io.open(path, 'r+') f:write('LINE') f:seek('set', 0) print(f:read('L')) f:seek('end') f:write('!') f:close() print(io.open(path):read('a'))
f = io.open(path, 'a+') f:write('appended') f:seek('set') print(#f:read('a')) f:close() f = io.open(path, 'w+') print(f:read('a') == '', f:write('x\r\ny\0z'):seek()) f:seek('set') print(#f:read('l'), #f:read('l')) f:close()
f = io.open(path, 'w') for _, s in ipairs { '12', '-0x1F', '1e3', '.5', '0x.8p2', 'nan', '  7', '1e', '99999999999999999999', '+3' } do f:write(s, '\n') end f:close()
f = io.open(path) for i = 1, 10 do io.write(tostring(f:read('n')), '|', tostring(f:read('l')), ' ') end print() f:close()
print(io.open(dir .. '/none/x') == nil, select(2, io.open('')):match(': (.*)'), pcall(io.open, path, 'bad'), (pcall(io.lines, dir .. '/none')))
io.output(path) io.write('default ', 'output\n') print(io.output() ~= io.stdout) io.close() io.output(io.stdout) io.input(path) print(io.read()) print(io.read('l')) io.close(io.input()) print(pcall(io.read)) io.input(io.stdin) print(pcall(io.close, 1))
do local f <close> = io.open(path, 'w') f:write('closed by scope') end print(io.open(path):read('a'))
do local it = io.lines(path) it() print(it()) print(pcall(it)) end
f = io.open(path, 'w') print(f:setvbuf('no'), f:setvbuf('full', 1024), f:setvbuf('line'), pcall(f.setvbuf, f, 'bad')) f:write(('x'):rep(10000)) print(f:flush() == f, io.flush() == nil or true) f:close() print(#io.open(path):read('a'), #io.open(path):read(5000), io.open(path):read(0), io.open(path):read('a', 'a', 'l'))
local big = {} for i = 1, 20000 do big[i] = i .. ':' .. (i * i) % 9973 end f = io.open(path, 'wb') f:write(table.concat(big, '\n')) f:close() local n, sum = 0, 0 for a, b in io.lines(path, 'n', 'l') do n = n + 1 sum = sum + a + tonumber(b:sub(2)) end print(n, sum)
f = io.open(path, 'rb') local chunks = 0 repeat local c = f:read(4097) if c then chunks = chunks + #c end until not c print(chunks == f:seek('end')) f:close()
local binary = {} for i = 0, 255 do binary[#binary + 1] = string.char(i) end binary = table.concat(binary):rep(50) f = io.open(path, 'wb') f:write(binary) f:close() print(io.open(path, 'rb'):read('a') == binary)
local tmp = io.tmpfile() tmp:write('temporary') tmp:seek('set', 4) print(tmp:read('a')) tmp:close() local a, b = io.open(path), io.open(path) a:read(10) print(b:seek(), a:seek()) a:close() b:close()
print(pcall(f.read, io.open(path), 'x'), pcall(f.seek, io.open(path), 'bad'), pcall(f.read, f), pcall(io.write), io.write('') == io.stdout, (pcall(io.lines, path, 'x')))
print(os.rename(path, path .. '2'), io.open(path) == nil, os.remove(path .. '2'), (os.remove(path .. '2')), select(2, os.remove(path .. '2')):match(': (.*)$')) print(io.stdout:seek() == nil or true, io.stderr:write('') == io.stderr)
local mod = io.open(dir .. '/m.lua', 'w') mod:write([[#!shebang
local n, p = ... return { n = n, found = p and p:match('[^/]*$') }]]) mod:close() package.path = dir .. '/?.lua' print(require('m').n, require('m').found, package.loaded.m == require('m'), dofile(dir .. '/m.lua', 1) == nil or true, package.searchpath('m', package.path):match('[^/]*$'), (select(2, package.searchpath('a.b', './?.x;./?.y'))))
