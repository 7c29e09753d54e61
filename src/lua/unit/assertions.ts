/** Lua: the `assert` of tests, which is the stock one with assertions as its fields, as luassert has them. Needs VALUES. */
export const ASSERTIONS = String.raw`
local OWN = 'llmspell'
local Failure = { __tostring = function(self) return self.message end }

-- file:line of the first function on the stack that is not ours.
local function placeOf()
  for level = 2, 200 do
    local info = getinfo(level, 'Sl')
    if not info then return '' end
    if info.what ~= 'C' and info.short_src ~= OWN then return info.short_src .. ':' .. info.currentline end
  end
  return ''
end

local function fail(message, details)
  error(setmetatable({ message = message, details = details or '', place = placeOf() }, Failure), 0)
end

-- Each needs a number of values and may take more; has what is expected of them, a test of them, and how they are shown.
local assertions = {}

local function define(names, needs, expectation, test, show, takes)
  for name in gmatch(names, '%S+') do
    assertions[name] = { needs = needs, takes = takes or needs, expectation = expectation, test = test, show = show }
  end
end

local function showBoth(isNot, expected, actual)
  if isNot then return 'Both: ' .. dump(actual) end
  local lines = { 'Expected: ' .. dump(expected), 'Actual:   ' .. dump(actual) }
  if type(expected) == 'table' and type(actual) == 'table' then
    local at = differences(expected, actual)
    lines[3] = at == '' and 'They are two tables with the same content.' or 'They differ at:\n' .. at
  end
  return concat(lines, '\n')
end

local function showOne(_, value) return 'Actual: ' .. dump(value) end

define('equal equals', 2, 'the values %s equal', function(a, b) return a == b end, showBoth)
define('same', 2, 'the values %s the same', same, showBoth)
define('true', 1, 'the value %s true', function(value) return value == true end, showOne)
define('false', 1, 'the value %s false', function(value) return value == false end, showOne)
define('nil', 1, 'the value %s nil', function(value) return value == nil end, showOne)
define('truthy', 1, 'the value %s truthy', function(value) return value ~= nil and value ~= false end, showOne)
define('falsy', 1, 'the value %s falsy', function(value) return value == nil or value == false end, showOne)
for name in gmatch('boolean number string table function thread userdata', '%a+') do
  define(name, 1, 'the value %s a ' .. name, function(value) return type(value) == name end, showOne)
end

define('near', 3, 'the numbers %s near each other', function(a, b, tolerance)
  return type(b) == 'number' and abs(a - b) <= tolerance
end, function(_, expected, actual, tolerance)
  return format('Expected: %s \u{b1} %s\nActual:   %s', dump(expected), dump(tolerance), dump(actual))
end)

define('match matches', 2, 'the string %s matched', function(pattern, text)
  return type(text) == 'string' and find(text, pattern) ~= nil
end, function(_, pattern, text) return 'Pattern: ' .. dump(pattern) .. '\nActual:  ' .. dump(text) end)

local function withoutPlace(message)
  return type(message) == 'string' and gsub(message, '^[^\n]-:%d+: ', '', 1) or message
end

local function errorOf(fn)
  local ok, problem = pcall(fn)
  if getmetatable(problem) == Failure then problem = problem.message end
  return not ok, problem
end

local function showError(isNot, fn, expected)
  local raised, problem = errorOf(fn)
  if isNot then return 'Raised: ' .. dump(problem) end
  local wanted = expected == nil and 'any error' or dump(expected)
  return 'Expected: ' .. wanted .. '\nActual:   ' .. (raised and dump(problem) or 'no error')
end

define('error errors', 1, 'an error %s raised', function(fn, expected)
  local raised, problem = errorOf(fn)
  if not raised or expected == nil then return raised end
  return same(expected, problem) or same(expected, (withoutPlace(problem)))
end, showError, 2)

define('error_matches error_match', 2, 'an error that matches %s raised', function(fn, pattern)
  local raised, problem = errorOf(fn)
  return raised and find(tostring(problem), pattern) ~= nil
end, showError)

local FILLERS = { is = true, are = true, was = true, were = true, has = true, have = true, does = true, to = true, be = true, a = true, an = true }
local NEGATIONS = { ['not'] = true, no = true }

-- The assertion that a chain of words means, and whether it is turned round.
local function resolve(words)
  local isNot, kept = false, {}
  for word in gmatch(lower(words), '[^_.]+') do
    if NEGATIONS[word] then isNot = not isNot
    elseif not FILLERS[word] then kept[#kept + 1] = word end
  end
  return assertions[concat(kept, '_')], isNot
end

local function names()
  local all = {}
  for name in next, assertions do all[#all + 1] = name end
  sort(all)
  return concat(all, ', ')
end

local function check(words, ...)
  local assertion, isNot = resolve(words)
  if not assertion then fail(format("There is no assertion '%s'; there are %s.", words, names())) end
  local count = select('#', ...)
  if count < assertion.needs then fail(format('assert.%s needs %d values, and got %d.', words, assertion.needs, count)) end
  local passed = assertion.test(...)
  if passed == not isNot then return ... end
  local expected = format(assertion.expectation, isNot and 'not to be' or 'to be')
  -- What comes behind the values is what the test wants to say.
  local note = (select(assertion.takes + 1, ...))
  fail((type(note) == 'string' and note .. '\n' or '') .. 'Expected ' .. expected .. '.', assertion.show(isNot, ...))
end

local function chain(words)
  return setmetatable({}, {
    __index = function(_, word) return chain(words .. '.' .. word) end,
    __call = function(_, ...) return check(words, ...) end,
  })
end

globals.assert = setmetatable({}, {
  __index = function(_, word) return chain(word) end,
  -- The stock one.
  __call = function(_, ...)
    if select('#', ...) == 0 then error("bad argument #1 to 'assert' (value expected)", 2) end
    if ... then return ... end
    if select('#', ...) == 1 then error('assertion failed!', 2) end
    error((select(2, ...)), 2)
  end,
})
`;
