-- metatables and all metamethods (2.4)
local mt = {} local function V(x) return setmetatable({ x = x }, mt) end
local function val(v) return type(v) == 'table' and v.x or v end
for _, op in ipairs { 'add', 'sub', 'mul', 'div', 'mod', 'pow', 'idiv', 'band', 'bor', 'bxor', 'shl', 'shr', 'concat' } do mt['__' .. op] = function(a, b) return op .. '(' .. tostring(val(a)) .. ',' .. tostring(val(b)) .. ')' end end
mt.__unm = function(a, b) return 'unm ' .. a.x .. tostring(rawequal(a, b)) end mt.__bnot = function(a) return 'bnot ' .. a.x end mt.__len = function(a) return 'len ' .. a.x end
mt.__eq = function(a, b) return a.x == b.x end mt.__lt = function(a, b) return val(a) < val(b) end mt.__le = function(a, b) return val(a) <= val(b) end
mt.__call = function(self, ...) return 'call', self.x, ... end mt.__tostring = function(a) return 'V' .. a.x end mt.__name = 'Vector'
local a, b = V(1), V(2)
print(a + b, a - 1, 1 * a, a / b, a % 2, 2 ^ a, a // b, a & 1, 1 | a, a ~ b, a << 1, 1 >> a, a .. b, a .. 'x', 'x' .. a, 1 .. a)
print(-a, ~a, #a, a == b, a == V(1), a ~= V(1), a < b, a <= b, a > b, a >= 1, a < 5, rawequal(a, V(1)), rawlen(a), a(1, 2))
print(tostring(a), #tostring(setmetatable({}, { __name = 'Named' })) > 6, tostring(setmetatable({}, { __name = 'Named' })):match('^Named: ') ~= nil, string.format('%s', a))
local log = {} local t = setmetatable({}, { __index = function(t, k) log[#log + 1] = 'get ' .. tostring(k) return k end, __newindex = function(t, k, v) log[#log + 1] = 'set ' .. tostring(k) rawset(t, k, v) end })
t.x = 1 t.x = 2 t[1.0] = 'one' print(t.x, t.y, t[1], rawget(t, 'z'), t[2.0]) print(table.concat(log, ';'))
local base = { hello = function() return 'hello' end } local derived = setmetatable({}, { __index = base }) local third = setmetatable({}, { __index = derived, __newindex = base }) print(third.hello()) third.new = 'n' print(base.new, rawget(third, 'new'))
print(pcall(setmetatable, 1, {}), pcall(setmetatable, {}, 1), getmetatable(setmetatable({}, { __metatable = 'mine' })), pcall(setmetatable, setmetatable({}, { __metatable = 1 }), {}))
for k, v in pairs(setmetatable({}, { __pairs = function() return function(_, k) k = (k or 0) + 1 if k < 4 then return k, k * k end end, nil, nil end })) do io.write(k, '=', v, ' ') end print()
for i, v in ipairs(setmetatable({}, { __index = function(_, i) if i < 4 then return i * 10 end end })) do io.write(i, '=', v, ' ') end print()
print(pcall(function() return {} + 1 end), pcall(function() return {} < {} end), pcall(function() return #nil end), pcall(function() local x x.y = 1 end), pcall(function() local t = {} t.x.y = 1 end), pcall(function() undefinedfunction() end), pcall(function() ('x')() end), pcall(function() local t = {} t:nomethod() end))
print(pcall(function() return 1 & 1.5 end), pcall(function() return 'a' | 1 end), pcall(function() return {} .. {} end), pcall(function() return -{} end), pcall(next, {}, 'nokey'), pcall(rawset, {}, nil, 1), pcall(function() local t = {} t[nil] = 1 end), pcall(function() local t = {} t[0/0] = 1 end))
print(getmetatable('').__index == string, getmetatable('').__name, getmetatable(1), ('x').len == string.len)
do local weak = setmetatable({}, { __mode = 'v' }) weak[1] = {} weak[2] = 'string' weak.k = print collectgarbage() print(weak[1], weak[2], weak.k == print) end
do local weak = setmetatable({}, { __mode = 'k' }) local key = {} weak[key] = 'kept' weak[{}] = 'lost' collectgarbage() local n = 0 for _ in pairs(weak) do n = n + 1 end print(n, weak[key]) end
do local order = {} for i = 1, 3 do setmetatable({}, { __gc = function() order[#order + 1] = i end }) end collectgarbage() print(table.concat(order, ' ')) end
do local e = setmetatable({}, { __mode = 'k' }) do local k = {} e[k] = { k } end collectgarbage() print(next(e)) end
do local resurrected setmetatable({ name = 'back' }, { __gc = function(o) resurrected = o end }) collectgarbage() print(resurrected.name) end
collectgarbage('incremental') print(collectgarbage('isrunning'), collectgarbage('stop'), collectgarbage('isrunning'), collectgarbage('restart'), type(collectgarbage('count')), collectgarbage('step'), collectgarbage('incremental'), collectgarbage('generational'), collectgarbage('incremental'), pcall(collectgarbage, 'bogus'))
do local before = collectgarbage('count') local t = {} for i = 1, 10000 do t[i] = { i } end local full = collectgarbage('count') t = nil collectgarbage() print(full > before + 100, collectgarbage('count') < full - 100) end
