-- os.* (6.9)
print(type(os.time()), type(os.clock()), os.getenv('LLMSPELL_NOT_SET'), os.difftime(10, 3), os.setlocale(), os.setlocale(nil, 'all'))
for _, stamp in ipairs { 0, 86399, 951782400, 1000000000, 1709210096, 1790000000, 2147483648, 4102444800, -86400, 1609459199, 1230768000 } do
  print(stamp, os.date('!%Y-%m-%d %H:%M:%S', stamp), os.date('!%c|%x|%X|%p|%r|%R|%T|%D|%F', stamp)) print(os.date('!%a %A %b %B %h %d %e %j %u %w %U %W %V %G %g %y %C %I %M %n%t%%', stamp))
  print(os.date('%Y-%m-%d %H:%M:%S %c', stamp), os.date('%Ec %EC %Ex %EX %Ey %EY %Od %Oe %OH %OI %Om %OM %OS %Ou %OU %OV %Ow %OW %Oy', stamp))
  local t = os.date('*t', stamp) print(t.year, t.month, t.day, t.hour, t.min, t.sec, t.wday, t.yday, t.isdst, os.time(t) == stamp) local u = os.date('!*t', stamp) print(u.year, u.hour, u.isdst)
end
print(os.time { year = 2024, month = 2, day = 30, hour = 12 } == os.time { year = 2024, month = 3, day = 1, hour = 12 }, os.time { year = 2024, month = 14, day = -3, hour = 25, min = 70, sec = -10 }, os.time { year = 2000, month = 1, day = 1, hour = 0 })
local n = { year = 2024, month = 14, day = 35, hour = 30 } os.time(n) print(n.year, n.month, n.day, n.hour, n.min, n.sec, n.wday, n.yday)
print(pcall(os.time, { year = 2024 }), pcall(os.time, { year = 'x', month = 1, day = 1 }), pcall(os.time, { year = 2024, month = 1.5, day = 1 }), pcall(os.date, '%Q'), pcall(os.date, '%'), pcall(os.date, '%E'), pcall(os.date, '*t', 1e300), pcall(os.date, '!%c', 2^60 | 0))
print(os.date('!%H', 3600.0), pcall(os.date, '!%H', 3600.5), os.date('', 0) == '', os.date('!literal %% text', 0), #os.date(), os.date('!%d.%m.%y', 1e9 | 0))
local name = os.tmpname() print(type(name), os.remove(name), os.remove(name) == nil, pcall(os.remove), pcall(os.rename, 'x'), pcall(os.getenv))
local c = os.clock() local x = 0 for i = 1, 100000 do x = x + i end print(os.clock() >= c, math.type(os.clock()))
