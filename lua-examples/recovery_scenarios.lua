-- Recovery with real backups: to a point in time, along an incremental chain, for some scopes only, with progress.
--
--   llmspell run --config config/backup-enabled.toml lua-examples/recovery_scenarios.lua

assert(State.create_backup, "this configuration has no backups: use --config config/backup-enabled.toml")

local function step(title) print("\n== " .. title) end

local function must(result)
  assert(result.success, result.error)
  return result
end

local data, notes = "custom:accounts", "custom:notes"
State.clear(data)
State.clear(notes)

step "A chain: one full backup and two incremental ones"
State.set(data, "balance", 100)
local first = must(State.create_backup { description = "opening balance" })
State.set(data, "balance", 250)
State.set(data, "owner", "Ada")
local second = must(State.create_backup { incremental = true, description = "after the deposit" })
State.set(data, "balance", 75)
State.set(notes, "todo", "call the bank")
local third = must(State.create_backup { incremental = true, description = "after the withdrawal" })
print("chain of the third:", #must(State.restore_backup(third.backup_id, { dry_run = true })).chain)

step "Back along the chain: each backup is a whole state"
for _, backup in ipairs { first, second, third } do
  must(State.restore_backup(backup.backup_id))
  print("balance", State.get(data, "balance"), "owner", State.get(data, "owner"), "notes", #State.list(notes))
end

step "Point in time: a moment for which nobody made a backup"
local function pause(seconds) -- so that the three changes have three different times
  local until_clock = os.clock() + seconds
  while os.clock() < until_clock do end
end
State.set(data, "balance", 1000)
pause(0.02)
State.set(data, "balance", 2000)
local wanted = State.history(data, "balance", { limit = 1 })[1]
pause(0.02)
State.set(data, "balance", -1) -- the mistake
print("now:", State.get(data, "balance"))
local back = must(State.restore_to(wanted.at_ms / 1000))
print("restored:", State.get(data, "balance"))

step "The life of one key, newest first"
for _, item in ipairs(State.history(data, "balance", { limit = 4 })) do
  print(item.deleted and "(deleted)" or item.value)
end

step "Selective: one scope comes back, the other stays as it is"
State.set(data, "balance", 5)
State.set(notes, "todo", "new plan")
must(State.restore_backup(third.backup_id, { scopes = { data } }))
print("balance", State.get(data, "balance"), "note", State.get(notes, "todo"))

step "Keeping what came later"
State.set(data, "card", "1234")
must(State.restore_backup(second.backup_id, { preserve_untracked = true }))
print("balance", State.get(data, "balance"), "card", State.get(data, "card"))

step "Progress, phase by phase"
local phases, seen = {}, {}
State.on_progress(function(progress)
  if not seen[progress.phase] then
    seen[progress.phase] = true
    phases[#phases + 1] = progress.phase
  end
end)
local restored = must(State.restore_backup(third.backup_id))
State.on_progress(nil)
print("phases:", table.concat(phases, " > "))

step "Undo"
must(State.restore_backup(restored.rollback_id))
print("balance", State.get(data, "balance"), "card", State.get(data, "card"))

step "A backup that is not there is an answer, not a crash"
local missing = State.restore_backup("0123456789abcdef")
print(missing.success, missing.error)
