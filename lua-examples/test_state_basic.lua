-- The first steps with State: set, get, list, delete, values of every kind, and scopes.
--
--   llmspell run lua-examples/test_state_basic.lua
--
-- Each step is checked with assert, so the script is a test of itself.

local function step(title) print("\n== " .. title) end

-- A fresh start, so that the script gives the same answer every time.
for _, scope in ipairs { "global", "user", "session:1" } do State.clear(scope) end

step "Set and get"
State.set("global", "greeting", "hello")
State.set("greeting_of_today", "good morning") -- without a scope it is "global"
print(State.get("global", "greeting"), State.get("greeting_of_today"))
assert(State.get("global", "greeting_of_today") == "good morning")
assert(State.get("global", "missing") == nil)
print("a default:", State.get("global", "missing", "nothing yet"))

step "Values come back exactly"
local values = {
  text = "any bytes: \0 \xff",
  integer = math.maxinteger,
  float = 1.0,
  tiny = 5e-324,
  yes = true,
  list = { "a", "b", "c" },
  sparse = { [1] = "one", [3] = "three", [-1] = "minus one" },
  nested = { settings = { retries = 3, hosts = { "alpha", "beta" } } },
}
for name, value in pairs(values) do State.set("user", name, value) end

assert(State.get("user", "text") == values.text)
assert(math.type(State.get("user", "integer")) == "integer")
assert(math.type(State.get("user", "float")) == "float")
assert(State.get("user", "sparse")[-1] == "minus one")
print("integer:", State.get("user", "integer"))
print("float:", State.get("user", "float"))
print("nested:", State.get("user", "nested").settings.hosts[2])

step "A value that is read is a copy"
local copy = State.get("user", "list")
copy[1] = "changed"
print("in the state:", State.get("user", "list")[1])

step "List, has, delete"
print(table.concat(State.list("user"), " "))
assert(State.has("user", "yes"))
print("deleted:", State.delete("user", "yes"), "again:", State.delete("user", "yes"))
assert(not State.has("user", "yes"))

step "Scopes do not see each other"
State.set("session:1", "name", "Ada")
State.set("user", "name", "Grace")
print(State.get("session:1", "name"), State.get("user", "name"))
print("scopes:", table.concat(State.scopes(), " "))
print("cleared from session:1:", State.clear("session:1"))

step "What cannot be stored is refused, with the place"
local ok, message = pcall(State.set, "user", "broken", { callbacks = { on_done = print } })
print(ok, message)

step "Done"
print("all checks passed")
