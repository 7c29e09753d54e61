-- An agent that remembers: what it learned in one run is there in the next.
--
--   llmspell run lua-examples/agent_state.lua        (run it twice)
--
-- agent_get/agent_set, tool_get/tool_set and workflow_get/workflow_set are short forms of the scopes
-- "agent:<id>", "tool:<id>" and "workflow:<id>".

local agent = "researcher"

local memory = State.agent_get(agent, "memory") or { runs = 0, facts = {} }
memory.runs = memory.runs + 1
print(("run %d, %d facts known"):format(memory.runs, #memory.facts))

-- What this run learns. A workflow keeps each step's result, so that a run that is cut short can go on.
local steps = { "search", "read", "summarise" }
for number, step in ipairs(steps) do
  local fact = ("run %d, step %d: %s done"):format(memory.runs, number, step)
  State.workflow_set("research", step, fact)
  memory.facts[#memory.facts + 1] = fact
end
State.agent_set(agent, "memory", memory)

-- A tool counts its calls; increment is atomic, also between scripts that run at once.
State.increment("tool:search", "calls")
print("calls of the search tool:", State.tool_get("search", "calls"))

print("steps kept:", table.concat(State.workflow_list("research"), " "))
print("last fact:", memory.facts[#memory.facts])
assert(State.get("agent:" .. agent, "memory").runs == memory.runs)
