/** Lua: `describe`, `it` and what belongs to them, as busted has them; a function that runs the tests of a file. Needs ASSERTIONS. */
export const BLOCKS = String.raw`
local Pending = {}

local function trimmed(trace)
  local cut = find(trace, "\n\t[C]: in function 'xpcall'\n\t" .. OWN .. ':', 1, true)
  local kept = gsub(cut and sub(trace, 1, cut - 1) or trace, '\n\t' .. OWN .. ':[^\n]*', '')
  -- Up to the first line of the script, it is how an assertion raised its failure.
  kept = gsub(kept, "^(stack traceback:)\n\t%[C%]: in function 'error'\n\t%(%.%.%.tail calls%.%.%.%)", '%1')
  -- One line says no more than the place does.
  return select(2, gsub(kept, '\n', '')) > 1 and kept or ''
end

-- What went wrong, with where; runs where the error was raised.
local function explain(problem)
  if getmetatable(problem) == Pending then return problem end
  local trace = trimmed(sub(traceback('', 2), 2))
  if getmetatable(problem) == Failure then
    problem.trace = trace
    return problem
  end
  local hasText, text = pcall(tostring, problem)
  if type(problem) == 'table' and not (getmetatable(problem) or {}).__tostring then text = 'An error was raised: ' .. dump(problem) end
  local message = hasText and text or '(error object is a ' .. type(problem) .. ' value)'
  local place, rest = match(message, '^([^\n]-:%d+): (.*)$')
  return setmetatable({ message = rest or message, place = place or placeOf(), details = '', trace = trace }, Failure)
end

local root = { hooks = {}, children = {} }
local current, isRunning = root, false

local function wrong(message) error(setmetatable({ message = message, details = '', place = placeOf() }, Failure), 0) end

local function takes(what, name, fn, mayLack)
  if type(name) ~= 'string' then wrong(what .. ' needs a name.') end
  if type(fn) ~= 'function' and not (mayLack and fn == nil) then wrong(what .. ' needs a function.') end
  if isRunning then wrong(what .. ' cannot be used inside a test.') end
end

local function describe(name, fn)
  takes('describe', name, fn)
  local block = { name = name, parent = current, hooks = {}, children = {}, place = placeOf() }
  current.children[#current.children + 1] = block
  current = block
  local ok, problem = xpcall(fn, explain)
  current = block.parent
  if not ok then block.problem = problem end
end

local function it(name, fn)
  takes('it', name, fn, true)
  current.children[#current.children + 1] = { name = name, parent = current, fn = fn, place = placeOf() }
end

local function pending(name)
  if isRunning then error(setmetatable({ reason = type(name) == 'string' and name or '' }, Pending), 0) end
  it(type(name) == 'string' and name or 'pending', nil)
end

local function hook(name)
  return function(fn)
    takes(name, name, fn)
    local list = current.hooks[name] or {}
    current.hooks[name] = list
    list[#list + 1] = fn
  end
end

local function pathOf(node)
  local path = {}
  while node and node.name do
    path[#path + 1] = node.name
    node = node.parent
  end
  for i = 1, #path // 2 do path[i], path[#path + 1 - i] = path[#path + 1 - i], path[i] end
  return path
end

local function outerFirst(block)
  local blocks = {}
  while block do
    blocks[#blocks + 1] = block
    block = block.parent
  end
  for i = 1, #blocks // 2 do blocks[i], blocks[#blocks + 1 - i] = blocks[#blocks + 1 - i], blocks[i] end
  return blocks
end

local function runHooks(block, name)
  for _, fn in next, block.hooks[name] or {} do fn() end
end

return function(report, fresh, source, chunk, filter)
  local function finish(ok, problem)
    if ok then report('passed')
    elseif getmetatable(problem) == Pending then report('pending', problem.reason)
    -- Where memory runs out Lua explains nothing.
    elseif getmetatable(problem) ~= Failure then report('failed', tostring(problem))
    else report('failed', problem.message, problem.place, problem.details, problem.trace or '') end
  end

  local function tell(node, ok, problem)
    report('begin', node.place or '', unpack(pathOf(node)))
    finish(ok, problem)
  end

  local function isWanted(node)
    if not node.children then return filter == '' or find(concat(pathOf(node), ' '), filter) ~= nil end
    if node.problem then return true end
    for _, child in next, node.children do if isWanted(child) then return true end end
    return false
  end

  local function runTest(test)
    report('begin', test.place, unpack(pathOf(test)))
    if not test.fn then return report('pending', '') end
    local blocks = outerFirst(test.parent)
    local ok, problem = xpcall(function()
      fresh()
      for _, block in next, blocks do runHooks(block, 'before_each') end
      test.fn()
    end, explain)
    for i = #blocks, 1, -1 do
      local cleaned, why = xpcall(runHooks, explain, blocks[i], 'after_each')
      if ok and not cleaned then ok, problem = cleaned, why end
    end
    finish(ok, problem)
  end

  local function runBlock(block)
    if not isWanted(block) then return end
    if block.problem then tell(block, false, block.problem) end
    local ready, why = xpcall(runHooks, explain, block, 'setup')
    for _, child in next, block.children do
      if child.children then runBlock(child)
      elseif isWanted(child) then
        if ready then runTest(child) else tell(child, false, why) end
      end
    end
    local cleaned, problem = xpcall(runHooks, explain, block, 'teardown')
    if not cleaned then tell(block, false, problem) end
  end

  for name, fn in next, {
    describe = describe, context = describe, it = it, spec = it, test = it, pending = pending,
    before_each = hook('before_each'), after_each = hook('after_each'), setup = hook('setup'), teardown = hook('teardown'),
  } do globals[name] = fn end
  local isPattern, why = pcall(find, '', filter)
  local fn, message = load(source, chunk, 't')
  if not isPattern then fn, message = nil, 'The filter is no Lua pattern: ' .. why end
  local ok, problem = xpcall(fn or function() error(message, 0) end, explain)
  isRunning = true
  if ok then runBlock(root) else tell(root, false, problem) end
  report('done')
end
`;
