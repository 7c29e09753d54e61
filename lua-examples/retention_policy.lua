-- Retention: old backups go by themselves, and never one that another rests on.
--
--   llmspell run --config config/retention.toml lua-examples/retention_policy.lua
--
-- That configuration keeps the newest four backups.

assert(State.create_backup, "this configuration has no backups: use --config config/retention.toml")

local function step(title) print("\n== " .. title) end

local function must(result)
  assert(result.success, result.error)
  return result
end

-- A fresh start.
local scope = "custom:journal"
State.clear(scope)

step "Three chains, each a full backup and two incremental ones that rest on it"
local label = {}
for chain = 1, 3 do
  for link = 1, 3 do
    State.set(scope, ("entry:%d:%d"):format(chain, link), ("chain %d, link %d"):format(chain, link))
    local backup = must(State.create_backup {
      incremental = link > 1,
      description = ("chain %d, link %d"):format(chain, link),
    })
    label[backup.backup_id] = ("chain %d, link %d"):format(chain, link)
  end
end

step "Retention ran after each of them: what is left, and why"
local plan = must(State.cleanup_backups(true))
for _, entry in ipairs(plan.kept) do print(label[entry.id], entry.reason) end
print("made: 9", "left:", plan.retained_count, "a clean-up now would delete:", plan.deleted_count)

step "Whatever was kept can still be restored, with all that it rests on"
local kept, valid = State.list_backups(), 0
for _, backup in ipairs(kept) do
  if State.validate_backup(backup.id).is_valid then valid = valid + 1 end
end
print("valid:", valid, "of", #kept)

step "One that others rest on cannot be deleted by hand either"
local newest = kept[#kept]
local refused = State.delete_backup(newest.parent_id)
print("deleted:", refused.success, "says why:", refused.error:find("rests on it", 1, true) ~= nil)

step "The last link of a chain can"
print("deleted:", State.delete_backup(newest.id).success, "left:", State.get_storage_usage().total_backups)
