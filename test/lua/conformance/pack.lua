-- string.pack, unpack, packsize (6.4.2); sizes that depend on the machine are left out
local function hex(s) return (s:gsub('.', function(c) return ('%02x'):format(c:byte()) end)) end
for _, case in ipairs {
  { '<i1', -1 }, { '<i2', -2 }, { '>i2', -2 }, { '<i3', 70000 }, { '>i4', 1 << 30 }, { '<i8', math.mininteger }, { '>I8', -1 }, { '<I16', 5 },
  { '>i16', -5 }, { '<f', 1.5 }, { '>d', 1 / 3 }, { '<n', -0.0 }, { '<j', 42 }, { 'z', 'text' }, { '<s1', 'abc' }, { '>s2', 'abc' }, { '<s4', '' }, { 'c5', 'ab' },
  { '<bBhH', -1, 255, -300, 60000 }, { '<!4 i1 i4', 1, 2 }, { '>!8 i1 !2 i8 x i2', 1, 2, 3 }, { '<i4 xx i4', 1, 2 }, { '<!4 i1 Xi4 i1', 1, 2 }, { '= i1', 1 },
} do
  local packed = string.pack(table.unpack(case))
  print(case[1], hex(packed), string.unpack(case[1], packed))
end
for _, bad in ipairs {
  { 'i1', 128 }, { 'I1', 256 }, { 'i17', 1 }, { 'i0', 1 }, { 'c', 'x' }, { 'c2', 'abc' }, { 's1', ('x'):rep(300) }, { 'z', 'a\0b' }, { '!3 i4', 1 }, { 'y', 1 }, { 'Xz' }, { 'i1' }, { 'f', 'x' }, { 'X' },
} do print(bad[1], pcall(string.pack, table.unpack(bad))) end
print(pcall(string.unpack, '<i4', 'abc'), pcall(string.unpack, 'z', 'abc'), pcall(string.unpack, '<s1', '\5ab'), pcall(string.unpack, '<i16', ('\1'):rep(16)), pcall(string.unpack, 'i1', 'x', 5))
print(string.unpack('<i2 i2', '\1\0\2\0'), string.unpack('<i2', '\1\0\2\0', 3), string.unpack('<i2', '\1\0\2\0', -2), string.unpack('c0', 'x'), string.unpack('', 'x'))
print(string.packsize('<i4 i8'), string.packsize('!8 i1 i8'), string.packsize('c10 z' == '' and '' or 'c10'), pcall(string.packsize, 's'), pcall(string.packsize, 'z'), string.packsize('<!4 i1 i4 i2'))
for size = 1, 16 do
  local s = string.pack('<i' .. size, -2) .. string.pack('>I' .. size, 100)
  io.write(size, ':', hex(s), ':', (string.unpack('<i' .. size, s)), ' ')
end print()
local n = 0
for i = 1, 2000 do
  local a, b, c = math.random(0), i / 7, ('x'):rep(i % 50)
  local x, y, z = string.unpack('<j d s2', string.pack('<j d s2', a, b, c))
  if x == a and y == b and z == c then n = n + 1 end
end
print(n)
