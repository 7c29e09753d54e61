-- Retention: old backups go by themselves, and never one that another rests on.
--
--   llmspell run --config config/backup-enabled.toml lua-examples/retention_policy.lua

assert(State.create_backup, "this configuration has no backups: use --config config/backup-enabled.toml")

local function step(title) print("\n== " .. title) end

local function must(result)
  assert(result.success, result.error)
  return result
end

local scope = "custom:journal"
State.clear(scope)

step "Three chains of a full backup and two incremental ones"
local made = {}
for chain = 1, 3 do
  for link = 1, 3 do
    State.set(scope, ("entry:%d:%d"):format(chain, link), ("chain %d, link %d"):format(chain, link))
    local backup = must(State.create_backup {
      incremental = link > 1,
      description = ("chain %d, link %d"):format(chain, link),
      pin = chain == 1 and link == 1, -- retention never removes this one
    })
    made[#made + 1] = backup
  end
end
print("made:", #made)

step "What a clean-up would do, with a reason for each"
local plan = State.cleanup_backups(true)
print("dry run:", plan.dry_run, "would delete:", plan.deleted_count, "would keep:", plan.retained_count)
for _, entry in ipairs(plan.deleted) do print(entry.id:sub(1, 8), entry.reason) end

step "Clean up"
local done = must(State.cleanup_backups())
print("deleted:", done.deleted_count == plan.deleted_count, "freed bytes:", done.space_freed >= 0)

step "Whatever was kept can still be restored"
local kept = State.list_backups()
local valid = 0
for _, backup in ipairs(kept) do
  if State.validate_backup(backup.id).is_valid then valid = valid + 1 end
end
print("all valid:", valid == #kept, "pinned one still there:", (function()
  for _, backup in ipairs(kept) do
    if backup.id == made[1].backup_id then return backup.pinned end
  end
end)())

step "One that others rest on cannot be deleted by hand either"
local newest = kept[#kept]
local refused = State.delete_backup(newest.parent_id)
print(refused.success, refused.error ~= nil)

step "How much there is"
local usage = State.get_storage_usage()
print("full:", usage.full_backups, "incremental:", usage.incremental_backups, "bytes:", usage.total_size > 0)
