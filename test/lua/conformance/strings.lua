-- string.*, concatenation, comparison, coercion (reference manual 3.4.3–3.4.6 and 6.4)
print(#'', #'a\0b', 'a\0b' == 'a\0b', 'a\0b' < 'a\0c', 'a' < 'a\0', '' < 'a', 'Z' < 'a', 'a' .. 1 .. 2.0)
print('\x41\u{48}\u{20AC}\065\z
       x', '\\\'\"', 'a\
b', #[[
first newline skipped]], [==[ ]] ]=] ]==])
print(10 .. '', 1e15, 1e16, 2^53, 2^63, -0.0, 1e100, 0.1, 1/3, 100 // 1e-1, 3.0)
print('10' + 5, '0x10' * 1, '1e1' * 1, ' 10 ' + 0, pcall(function() return '3' | 0 end), pcall(function() return 'a' + 1 end))
print(pcall(function() return {} .. 'x' end))
print(pcall(function() return '1.5' | 0 end))
for _, s in ipairs { '', 'hello', 'a\0b\0', ('x'):rep(3) } do
  print(#s, s:len(), s:upper(), s:lower(), s:reverse(), s:rep(2, '-'), (s:rep(0)), s:byte(1, -1))
end
for i = -6, 6 do io.write(('hello'):sub(i), '|', ('hello'):sub(1, i), '|', ('hello'):sub(i, i), ' ') end print()
print(('hello'):sub(math.mininteger, math.maxinteger), ('hello'):sub(2.0, 3), pcall(string.sub, 'x', 1.5))
print(('x'):rep(3, ''), pcall(string.rep, 'x', -1), string.char(72, 105), pcall(string.char, 256))
-- find, match, gmatch, gsub
print(('hello world'):find('o'), ('hello world'):find('o', 6), ('hello'):find('l+'), ('hello'):find('xyz'), ('a.b'):find('.', 1, true), ('a+b'):find('+', 1, true))
print(('abc'):find('', 10), ('abc'):find('', 4), ('abc'):find('b', -1), ('abc'):find('b', -100), (''):find(''))
print(('key = value'):match('^(%w+)%s*=%s*(%w+)$'), ('2026-11-23'):match('(%d+)-(%d+)-(%d+)'), ('  trim  '):match('^%s*(.-)%s*$') .. '|')
print(('f(a(b)c)d'):match('%b()'), ('THE (quick) fox'):find('%((%a+)%)'), ('hello'):match('()ll()'), ('x'):match('(y?)(x)'))
print(('[[x]]'):gsub('[%[%]]', '.'), ('abc'):gsub('', '-'), ('abc'):gsub('.', { a = '1', b = 2, c = false }), ('hello'):gsub('l', '%0%0', 1))
print(('hello world'):gsub('(%w+) (%w+)', '%2 %1'), ('abc'):gsub('%w', function(c) if c == 'b' then return nil end return c:upper() end))
print(('THE (quick) fox'):gsub('%f[%a]%a+', string.lower), ('a,b,,c'):gsub(',', ';', 2), (' x '):gsub('^%s+', ''), ('aaa'):gsub('^a', 'b'))
for k, v in ('a=1, b=2, c=3'):gmatch('(%w+)=(%w+)') do io.write(k, v, ' ') end
for w in ('one two  three'):gmatch('%a+') do io.write(w, '.') end
for p in ('abc'):gmatch('()') do io.write(p, ' ') end
for a in ('aXbX'):gmatch('(.-)X', 2) do io.write('<', a, '>') end print()
for _, class in ipairs { '%a', '%c', '%d', '%g', '%l', '%p', '%s', '%u', '%w', '%x', '[^%w%s]', '[a-f%d]', '[%]%-]', '[]]', '[^]]' } do
  local n = 0
  for i = 0, 255 do if string.char(i):match('^' .. class .. '$') then n = n * 31 % 1000003 + i end end
  io.write(class, ' ', n, '  ')
end print()
for _, bad in ipairs { '[', '%', '(', ')', '%f', '%b', '%bx', '(()', '[a-', '%1' } do print(bad, pcall(string.find, 'x', bad)) end
print(pcall(string.gsub, 'x', 'x', '%2'), pcall(string.gsub, 'x', 'x', '%'), pcall(string.gsub, 'x', '(x', ''), pcall(string.gsub, 'x', 'x', function() return {} end))
print(pcall(string.rep), pcall(('x').bad), pcall(string.gsub, 'x', 'x'))
-- format
print(string.format('%d %5d %-5d| %05d %+d %x %X %#x %o %i', 42, 42, 42, 42, 42, 255, 255, 255, 8, -7))
print(string.format('%f %.2f %10.3f %-10.1f| %e %.3e %g %g %g %G', 1/3, 1/3, 1/3, 1/3, 12345.678, 12345.678, 1e20, 1e-5, 100000, 1e-10))
print(string.format('%a %.3a', 1, 0.5), string.format('%s %10s %-10s| %.2s', 'abc', 'abc', 'abc', 'abc'), string.format('%c%c', 72, 105), string.format('%%'))
print(string.format('%q', 'a "quoted" \\ string\nwith \0 \r and \200'), string.format('%q %q %q', 1/3, 42, math.mininteger), string.format('%s %s %s', nil, true, 1.5))
print(string.format('%i', 3.0), pcall(string.format, '%d', 3.5), pcall(string.format, '%d', 'x'), pcall(string.format, '%y', 1), pcall(string.format, '%d'), pcall(string.format, '%q', {}))
print(string.format('%5s|%-5s|%05.1f|% d|%+.3d', 'é', 'é', 2.25, 5, 7), string.format('%.0f %.0f %.0f', 0.5, 1.5, 2.5), string.format('%.20f', 0.1), string.format('%.3s|', 'abcdef'))
print(string.format('%-20s|%20s|', ('x'):rep(30), ('y'):rep(10)), #string.format('%99.99f', 1/3), pcall(string.format, '%0100d', 1))
print(tostring(12), tostring(-0.0), tostring(1e308 * 10), tostring(-1e308 * 10), tostring(nil), tostring(true))
print(tonumber('0x1p4'), tonumber('1e'), tonumber('0x'), tonumber('  12  '), tonumber('1 2'), tonumber('z', 36), tonumber('-ff', 16), tonumber('8', 8), tonumber('1e1', 10), tonumber(''), tonumber('0x.8'), tonumber('inf'), tonumber('nan'))
print(tonumber('9223372036854775807'), tonumber('9223372036854775808'), tonumber('0xffffffffffffffff'), tonumber('1' .. ('0'):rep(30)), pcall(tonumber, '10', 99), pcall(tonumber))
print(#table.concat { ('long'):rep(100000) }, (('ab'):rep(1000):gsub('b', 'cd')):len(), select(2, ('x'):rep(5000):gsub('x', '')))
