-- goto, loops, scopes, varargs, integer and float loops (3.3, 3.4.11)
for i = 1, 3 do
  for j = 1, 3 do
    if j == 2 then goto continue end
    io.write(i, j, ' ')
    ::continue::
  end
end
do local i = 1 ::top:: if i <= 3 then io.write(i, ',') i = i + 1 goto top end end print()
do
  local closures = {}
  local i = 1
  ::again::
  local x = i
  closures[#closures + 1] = function() x = x + 1 return x end
  i = i + 1
  if i <= 3 then goto again end
  print(closures[1](), closures[1](), closures[2](), closures[3]())
end
for _, code in ipairs { 'goto nowhere', 'goto a local x ::a:: print(x)', '::a:: ::a::', 'break', 'do ::b:: end goto b', 'local x <const> = 1 x = 2', 'local x <what> = 1', 'for i = 1, 2 do local function f() goto out end end ::out::', 'return return', 'x = = 1', 'local 1', 'f(', '"abc', '[[abc', 'a.b:c = 1', '\'\\400\'', '"\\u{110000000}"', '"\\xZZ"', '0x', '1e', '1..2', '@', 'x = }', 'for i do end', 'if x then', '--[[', 'local function end', 'return ...', 'function f() return ... end' } do
  print(code, load(code, '=code') and 'ok' or select(2, load(code, '=code')))
end
for i = 3, 1, -1 do io.write(i, ' ') end for i = 1.0, 2, 0.25 do io.write(i, ' ') end for i = 1, 0 do io.write('never') end
for i = math.maxinteger - 1, math.maxinteger do io.write(i, ' ') end for i = 1, math.huge do if i > 3 then break end io.write(i, ' ') end
for i = 1, 3 do local j = i i = 10 io.write(j, ' ') end print()
print(pcall(function() for i = 1, 10, 0 do end end), pcall(function() for i = 'a', 2 do end end), pcall(function() for i = 1, {} do end end))
local function v(...) return select('#', ...), ... end
print(v()) print(v(nil)) print(v(nil, nil)) print((v(1, 2))) print(v(v(1), v(2, 3))) print(({ v(1, 2) })[3], #{ v(1, 2), v(1) })
print(select(-1, 1, 2, 3), select(2, 'a', 'b', 'c'), pcall(select, 0), table.pack(v()).n, (function(...) local a, b = ... return b, a end)(1, 2, 3))
local a, b, c = (function() return 1, 2, 3 end)() print(a, b, c)
local t = { 1, 2, [10] = 10, x = 'x', (function() return 'last', 'two' end)() } print(#t, t[3], t[4], t.x)
local i = 1 i, t[i] = i + 1, 20 print(i, t[1], t[2])
local x, y = 1, 2 x, y = y, x print(x, y)
local n = 0 while true do n = n + 1 if n > 5 then break end end repeat local done = n > 8 n = n + 1 until done print(n)
print(1 and 2, nil and 1, false or 'x', nil or false, not nil, not 0, 1 < 2 == true, 'a' == 'a' and 'yes' or 'no', 2^3^2, -2^2, not 1 == 2, 1 .. 2 == '12', 7 // 2 * 2 + 7 % 2)
print(#'abc' + 1, -'2' + 0, - - 2, ~5, ~0 >> 63, 1 << 63, 1 << 64, 1 << -1, 5 & 3 | 8 ~ 1, '5' // 1, 3 ~= 3.0, 1 == 1.0, math.type(3 // 1.0))
