-- io.* at its corners, and processes (6.8), in the directory given
local dir = ...
local path = dir .. '/conf.txt'
local function put(s) local f = assert(io.open(path, 'w')) f:write(s) f:close() end
-- lines with formats
put('1 2 3\nabc\n\n0x10 1e2 zz\nlast')
for a, b in io.lines(path, 'n', 'l') do io.write('<', tostring(a), '|', tostring(b), '>') end print()
for a in io.lines(path, 'a') do io.write('<', #a, '>') if #a == 0 then break end end print()
for a in io.lines(path, 3) do io.write('<', a, '>') end print() for a in io.lines(path, 0) do io.write('.') break end print()
for a, b, c in io.lines(path, 'L', 1, 'l') do io.write('<', a, '|', tostring(b), '|', tostring(c), '>') end print()
print(pcall(io.lines, path, 'x'), pcall(io.lines, path, '*x'), pcall(io.lines, path, {}), pcall(io.lines, dir .. '/nothere'), pcall(io.lines, {}))
do local f = io.open(path) local it = f:lines() f:close() print(pcall(it)) print(pcall(f.lines, f)) end
do local it, a, b, c = io.lines(path) print(type(it), a, b, io.type(c)) c:close() print(pcall(it)) end
do local f = io.open(path) for l in f:lines() do if l == 'abc' then break end end print(io.type(f), f:read('a')) f:close() end
print(pcall(function() for l in io.lines(path) do error('in loop') end end))
-- many formats
print(pcall(io.lines, path, table.unpack((function() local t = {} for i = 1, 251 do t[i] = 'l' end return t end)())))
print(select('#', io.lines(path, table.unpack((function() local t = {} for i = 1, 250 do t[i] = 'l' end return t end)()))()))
-- numbers
put('0x1p4 -0x.8 +5 1e+5 1e+ .5. 12abc 0xg 1..2 - -- 1e5e5 ' .. ('1'):rep(250) .. ' 5')
do local f = io.open(path) for i = 1, 25 do local n = f:read('n') io.write(tostring(n), '(', tostring(f:seek()), ') ') if n == nil then f:read(1) end end print() f:close() end
-- setvbuf
for _, mode in ipairs{'no', 'full', 'line'} do local f = io.open(path, 'w') print(f:setvbuf(mode), f:setvbuf(mode, 0), f:setvbuf(mode, 10)) f:write('abc\ndef') local g = io.open(path) local seen = g:read('a') g:close() print(mode, mode == 'no' and seen or #seen <= 7) f:close() print(io.open(path):read('a')) end
print(pcall(io.stdout.setvbuf, io.stdout, 'x'), pcall(io.stdout.setvbuf, io.stdout))
-- close, type, default files, methods on closed
local f = io.open(path) f:close() for _, m in ipairs{'read', 'write', 'lines', 'seek', 'flush', 'setvbuf', 'close'} do print(m, pcall(f[m], f)) end print(io.type(f), tostring(f), io.type({}), pcall(io.type))
print(pcall(io.close, f), pcall(f.close), pcall(f.read), pcall(io.read, 'x'), pcall(io.read, {}), pcall(f.seek, io.stdin, 'x'), pcall(io.open), pcall(io.open, path, 'rr'), pcall(io.open, path, ''), pcall(io.open, path, 'r+b'), pcall(io.open, path, 'br'), pcall(io.open, path, 'rb+'))
print(pcall(io.input, dir .. '/nothere'), pcall(io.output, dir .. '/no/where'), pcall(io.input, {}), io.input() == io.stdin, io.output() == io.stdout)
io.output(path) print(io.write('x', 1, 2.5, '\n') == io.output(), pcall(io.write, {}), pcall(io.write, nil)) io.close() print(pcall(io.write, 'x'), pcall(io.close), pcall(io.output)) io.output(io.stdout)
io.input(path) print(io.read('a'), io.read('a'), io.read(), io.lines()()) print((pcall(io.lines))) io.input(io.stdin)
do local f <close> = io.open(path) local mt = getmetatable(f) print(mt.__name, type(mt.__index), type(mt.__gc), type(mt.__close), type(mt.__tostring), pcall(mt.__gc), pcall(mt.__tostring, 1)) end
print(pcall(io.tmpfile().seek, nil), io.tmpfile():write('x'):seek('end'), select('#', io.stdout:write()), (io.stderr:write()) == io.stderr)
-- append and r+ and w+
put('hello') f = io.open(path, 'a+') f:write(' world') print(f:seek('cur'), f:seek('set', 0), f:read('a')) f:seek('set', 0) f:write('!') f:seek('set', 0) print(f:read('a')) f:close() f = io.open(path, 'r+') print(f:read(2), f:seek('cur')) f:seek('cur', 0) f:write('XX') f:seek('set') print(f:read('a')) f:close()
-- popen
print(pcall(io.popen, 'true', 'rw'), pcall(io.popen, 'true', ''), pcall(io.popen)) local p = io.popen('echo hi; exit 3') print(io.type(p), p:read('a'), p:close()) p = io.popen('cat > ' .. path, 'w') p:write('through') print(p:close(), io.open(path):read('a')) print(io.popen('kill -9 $$'):close()) print(io.popen('exit 0'):close()) print(io.popen('nosuchcommand_x 2>/dev/null'):close())
p = io.popen('printf "a\\nb\\nc"') for l in p:lines() do io.write('[', l, ']') end print(p:close()) p = io.popen('echo 1 2 3') print(p:read('n', 'n', 'n', 'l', 'l')) print((p:seek()), (p:write('x'))) p:close() print(io.type(p), tostring(p), pcall(p.read, p)) p = io.popen('cat', 'w') print((p:read())) p:close() for l in io.popen('echo loop; exit 1'):lines() do print(l) end
print(os.execute('exit 5'), os.execute('true'), os.execute('kill -15 $$'), os.execute(), pcall(os.execute, {}))
p = io.popen('exit 7') p = nil collectgarbage() do local q <close> = io.popen('exit 2') end print(io.popen('echo x', nil):read())
