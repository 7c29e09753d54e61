-- Recovery done by hand, with nothing but scopes: for configurations without backups, or for a copy of one small thing.
--
--   llmspell run lua-examples/recovery_scenarios_working.lua
--
-- A checkpoint is a copy of a scope's entries in another scope. Two scenarios: back to a time, and back for some keys only.

local function step(title) print("\n== " .. title) end

-- Copies every entry of one scope to another, all together or not at all.
local function copy_scope(from, to, wanted)
  return State.transaction(function()
    local count = 0
    for _, key in ipairs(State.list(from)) do
      if not wanted or wanted(key) then
        State.set(to, key, State.get(from, key))
        count = count + 1
      end
    end
    return count
  end)
end

local checkpoints = {}

local function checkpoint(scope, label)
  local name = ("custom:checkpoint:%s:%d"):format(scope, #checkpoints + 1)
  State.clear(name)
  checkpoints[#checkpoints + 1] = { scope = name, label = label, order = #checkpoints + 1 }
  print(("checkpoint %q: %d entries"):format(label, copy_scope(scope, name)))
end

local function find(label)
  for _, point in ipairs(checkpoints) do
    if point.label == label then return point end
  end
  error("no checkpoint " .. label)
end

local scope = "custom:game"
State.clear(scope)

step "A state that grows"
State.set(scope, "player:hp", 100)
State.set(scope, "player:gold", 10)
State.set(scope, "world:level", 1)
checkpoint(scope, "start")

State.set(scope, "player:gold", 250)
State.set(scope, "world:level", 2)
checkpoint(scope, "level 2")

State.set(scope, "player:hp", 0)
State.set(scope, "player:gold", 0)
State.set(scope, "world:level", 3)
print("and then:", "hp", State.get(scope, "player:hp"), "gold", State.get(scope, "player:gold"))

step "Time-based: everything as it was at level 2"
State.clear(scope)
print("entries copied back:", copy_scope(find("level 2").scope, scope))
print("hp", State.get(scope, "player:hp"), "gold", State.get(scope, "player:gold"), "level", State.get(scope, "world:level"))

step "Selective: the player from the start, the world as it is"
local of_player = function(key) return key:find("^player:") ~= nil end
print("entries copied back:", copy_scope(find("start").scope, scope, of_player))
print("hp", State.get(scope, "player:hp"), "gold", State.get(scope, "player:gold"), "level", State.get(scope, "world:level"))

step "Tidy up"
for _, point in ipairs(checkpoints) do State.clear(point.scope) end
State.clear(scope)
print("checkpoints left:", #State.list("custom:checkpoint"))
