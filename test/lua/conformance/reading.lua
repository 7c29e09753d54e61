-- reading and writing by steps that a generator chooses: every way of reading, around the sizes of buffers; in the directory given
local dir = ... local path = dir .. '/reading.txt'
local x = 20240229 local function below(n) x = (x * 1103515245 + 12345) % 2147483648 return x // 65536 % n end
local function pick(t) return t[below(#t) + 1] end
local sum = 0 local function note(v) for i = 1, math.min(#v, 64) do sum = (sum * 31 + v:byte(i) + #v) % 1000000007 end end
local lengths = { 0, 1, 7, 80, 511, 512, 513, 1023, 1024, 1025, 4095, 4097, 16383, 32767, 32768, 32769, 70000 }
local function line() return ('%d:'):format(below(1000)) .. (pick { 'x', '\r', '\0', '\xff' }):rep(pick(lengths)) .. (below(8) == 0 and '\n\n' or '\n') end
local formats = { 'l', 'L', '*l', '*L', 'n', 0, 1, 2, 99, 100.0, 1000, 4096, 5000, 40000, 'a' }
local function text(v) return type(v) == 'string' and #v .. ':' .. v:sub(1, 4):gsub('%c', '.') or tostring(v) end
for round = 1, 12 do
  local f = assert(io.open(path, 'w+')) if round % 4 == 1 then f:setvbuf(pick { 'no', 'full', 'line' }, pick(lengths)) end
  for _ = 1, 40 do f:write(line()) end f:write(round % 2 == 0 and 'no end' or '')
  for step = 1, 60 do
    local kind = below(7)
    if kind == 0 then note(tostring(f:seek(pick { 'set', 'cur', 'end' }, below(3) == 0 and -below(2000) or below(3000))))
    elseif kind == 1 then f:seek('cur') f:write(line()) f:seek('cur')
    elseif kind == 2 then for l in f:lines(pick { 'l', 'L', 100 }) do note(l) if below(5) == 0 then break end end
    elseif kind == 3 then io.input(f) for _ = 1, below(4) do note(text(io.read(pick(formats)))) end
    elseif kind == 4 then note(text(f:read())) note(text((io.input(f) and io.read())))
    elseif kind == 5 then local a, b = f:read(pick(formats), pick(formats)) note(text(a)) note(text(b))
    else note(text(f:read(pick(formats)))) end
    if step % 20 == 0 then print(round, step, f:seek(), sum) end
  end
  io.input(io.stdin) f:close()
  local n, whole = 0, io.open(path):read('a') for l in io.lines(path, 'L') do n = n + #l end print(#whole, n == #whole)
end
local f = assert(io.open(path, 'w')) for i = 1, 3000 do f:write('line ', i, '\n') end f:close()
-- whole files: shorter and longer than they were when they were opened, at their end, directories, write-only
f = io.open(path) f:read(10) local g = io.open(path, 'a') g:write(('more'):rep(9000)) g:close() print(#f:read('a'), f:read('a') == '', f:read('a') == '', f:read('l'), f:read(1), f:read(0)) io.open(path, 'w'):close() print(f:seek('set', 5), f:read('a') == '', f:read('l')) f:close()
print(select('#', io.open(dir):read('a')), (io.open(dir):read('a'))) f = io.open(path, 'w') f:write('abc') print((f:read('a')), (f:read('l')), (f:read(1))) f:close()
