-- seeking beyond what 32 bits hold (6.8), in the directory given; the file has no blocks there
local dir = ... local path = dir .. '/far'
local f = assert(io.open(path, 'w+'))
print(f:seek('set', 3000000000)) print(f:write('three') == f, f:seek()) print(f:seek('cur', -5), f:read(5), f:seek('end')) print(f:seek('cur', -2999999999), f:seek('set', 5000000000), f:seek('cur', 1), f:read(1), (f:seek("cur", -5000000002)))
print((f:seek("end", -3000000006))) print(f:seek('set', 2147483647), f:seek('cur', 1), f:seek('cur', 0)) print(f:seek('cur'), (f:seek("set", -1)))
print(pcall(f.seek, f, 'bad', 5000000000), pcall(f.seek, f, 'set', 'x'), pcall(f.seek, f, 'set', 1.5)) f:seek('set', 2999999998) print(f:read('a') == '\0\0three', f:seek()) f:write('!') print(f:seek()) f:close()
f = io.open(path, 'a+') print(f:seek('end')) f:write('x') print(f:seek()) f:close() os.remove(path) print(pcall(f.seek, f, 'set', 5000000000))
