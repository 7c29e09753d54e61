/** Lua, in ASCII (the joined program escapes other letters, and raw text would keep the escapes): how values are shown and compared. `dump(value)`, `same(a, b)`, `differences(a, b)`. */
export const VALUES = String.raw`
local error, getmetatable, setmetatable, next, pcall, rawget, select, tostring, type, xpcall, load =
  error, getmetatable, setmetatable, next, pcall, rawget, select, tostring, type, xpcall, load
local globals, getinfo, traceback, mathtype = _G, debug.getinfo, debug.traceback, math.type
local concat, sort, pack, unpack = table.concat, table.sort, table.pack, table.unpack
local find, format, gmatch, gsub, lower, match, rep, sub =
  string.find, string.format, string.gmatch, string.gsub, string.lower, string.match, string.rep, string.sub
local abs = math.abs

local WIDE, DEEPEST, MOST_ITEMS, MOST_DIFFERENCES = 60, 8, 100, 10

local function scalar(value)
  if type(value) == 'string' then
    local shown = gsub(format('%q', value), '\\\n', '\\n')
    return shown
  end
  if mathtype(value) == 'float' then return format(value % 1 == 0 and abs(value) < 1e15 and '%.1f' or '%.17g', value) end
  return tostring(value)
end

local function ordered(keys)
  sort(keys, function(a, b)
    if type(a) == type(b) and (type(a) == 'number' or type(a) == 'string') then return a < b end
    if type(a) ~= type(b) then return type(a) < type(b) end
    return tostring(a) < tostring(b)
  end)
  return keys
end

local function keysOf(...)
  local seen, keys = {}, {}
  for i = 1, select('#', ...) do
    for key in next, (select(i, ...)) do
      if not seen[key] then seen[key], keys[#keys + 1] = true, key end
    end
  end
  return ordered(keys)
end

local function label(key)
  if type(key) == 'string' and match(key, '^[%a_][%w_]*$') then return key end
  return '[' .. (type(key) == 'table' and tostring(key) or scalar(key)) .. ']'
end

local function dump(value, indent, above)
  if type(value) ~= 'table' then return scalar(value) end
  indent, above = indent or '', above or {}
  if above[value] then return '<cycle>' end
  if #indent > 2 * DEEPEST then return '{\u{2026}}' end
  above[value] = true
  local items, isArray, wide = {}, true, 0
  for i, key in next, keysOf(value) do
    isArray = isArray and key == i
    local shown = dump(value[key], indent .. '  ', above)
    items[i] = isArray and shown or label(key) .. ' = ' .. shown
    wide = wide + #items[i] + 2
    if i == MOST_ITEMS then items[i + 1] = '\u{2026}' break end
  end
  above[value] = nil
  if #items == 0 then return '{}' end
  if wide <= WIDE and not find(concat(items), '\n', 1, true) then return '{ ' .. concat(items, ', ') .. ' }' end
  return '{\n' .. indent .. '  ' .. concat(items, ',\n' .. indent .. '  ') .. '\n' .. indent .. '}'
end

-- Adds to found where two values differ; returns whether they are the same.
local function compare(a, b, path, found, above)
  if a == b or (a ~= a and b ~= b) then return true end
  if type(a) == 'table' and type(b) == 'table' then
    if above[a] == b then return true end
    local outer = above[a]
    above[a] = b
    local isSame = true
    for _, key in next, keysOf(a, b) do
      local name = label(key)
      local inner = path .. (sub(name, 1, 1) == '[' and name or '.' .. name)
      if not compare(rawget(a, key), rawget(b, key), inner, found, above) then isSame = false end
    end
    above[a] = outer
    return isSame
  end
  found[#found + 1] = { path = path, expected = a, actual = b }
  return false
end

local function same(a, b) return compare(a, b, '', {}, {}) end

local function differences(expected, actual)
  local found, lines = {}, {}
  compare(expected, actual, '', found, {})
  for i, at in next, found do
    if i > MOST_DIFFERENCES then
      lines[i] = format('  \u{2026} and %d more', #found - MOST_DIFFERENCES)
      break
    end
    lines[i] = format('  %s: expected %s, got %s', at.path, dump(at.expected, '    '), dump(at.actual, '    '))
  end
  return concat(lines, '\n')
end
`;
