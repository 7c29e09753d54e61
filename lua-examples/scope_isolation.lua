-- Scopes keep the state of agents, tools, workflows and sessions apart.
--
--   llmspell run lua-examples/scope_isolation.lua

-- One key, five owners: none of them overwrites another.
local owners = { "global", "agent:planner", "agent:writer", "session:42", "custom:billing" }
for _, scope in ipairs(owners) do
  State.clear(scope)
  State.set(scope, "status", "set by " .. scope)
end
for _, scope in ipairs(owners) do print(scope, State.get(scope, "status")) end

-- A colon in a name is only a character: these are two entries.
State.set("custom:a", "b:c", 1)
State.set("custom:a:b", "c", 2)
print("no collision:", State.get("custom:a", "b:c"), State.get("custom:a:b", "c"))

-- Clearing one scope leaves the others alone.
print("cleared:", State.clear("agent:writer"))
print("writer:", State.get("agent:writer", "status"), "planner:", State.get("agent:planner", "status"))

-- Prefixes within a scope, page by page.
for n = 1, 7 do State.set("session:42", ("event:%03d"):format(n), { n = n }) end
local after
repeat
  local page = State.list("session:42", { prefix = "event:", after = after, limit = 3 })
  if #page > 0 then print("page:", table.concat(page, " ")) end
  after = page[#page]
until #page < 3

for _, scope in ipairs { "custom:a", "custom:a:b", table.unpack(owners) } do State.clear(scope) end
print("left over:", #State.list("session:42"))
