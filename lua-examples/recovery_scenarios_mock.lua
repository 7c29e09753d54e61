-- Strategies of recovery: which way back for which kind of loss.
--
--   llmspell run --config config/backup-enabled.toml lua-examples/recovery_scenarios_mock.lua
--
-- A script of this name once printed what such strategies might look like; here each one is carried out.

assert(State.create_backup, "this configuration has no backups: use --config config/backup-enabled.toml")

local function must(result)
  assert(result.success, result.error)
  return result
end

local scope = "custom:orders"

-- The state that every strategy is to bring back.
local function good()
  State.clear(scope)
  for n = 1, 20 do State.set(scope, ("order:%02d"):format(n), { id = n, status = "open" }) end
end

local function intact()
  local keys = State.list(scope)
  if #keys ~= 20 then return false end
  for _, key in ipairs(keys) do
    if State.get(scope, key).status ~= "open" then return false end
  end
  return true
end

-- A backup from before there were orders, for the mistake that the last strategy undoes.
State.clear(scope)
local empty = must(State.create_backup { description = "before the first order" })
local undo

local strategies = {
  {
    name = "full restore",
    use = "everything is gone",
    damage = function() State.clear(scope) end,
    recover = function(backup) return State.restore_backup(backup.backup_id) end,
  },
  {
    name = "selective restore",
    use = "one scope is wrong, the others went on",
    damage = function() State.set(scope, "order:07", { id = 7, status = "lost" }) end,
    recover = function(backup) return State.restore_backup(backup.backup_id, { scopes = { scope } }) end,
  },
  {
    name = "look first",
    use = "it is not clear yet what is wrong",
    damage = function() State.delete(scope, "order:20") end,
    recover = function(backup)
      local diff = State.diff_backups(backup.backup_id, "current")
      print(("    missing since then: %s"):format(diff.removed[1].key))
      must(State.restore_backup(backup.backup_id, { dry_run = true }))
      return State.restore_backup(backup.backup_id, { scopes = { scope } })
    end,
  },
  {
    name = "one value from the past",
    use = "a single key was overwritten",
    damage = function() State.set(scope, "order:03", "garbage") end,
    recover = function(backup)
      State.set(scope, "order:03", State.at(backup.backup_id).get(scope, "order:03"))
      return { success = true }
    end,
  },
  {
    name = "undo",
    use = "the restore itself was the mistake",
    damage = function() undo = must(State.restore_backup(empty.backup_id)).rollback_id end,
    recover = function() return State.restore_backup(undo) end,
  },
}

for number, strategy in ipairs(strategies) do
  print(("%d. %s: when %s"):format(number, strategy.name, strategy.use))
  good()
  local backup = must(State.create_backup { incremental = true, description = strategy.name })
  assert(State.validate_backup(backup.backup_id).is_valid)
  strategy.damage()
  must(strategy.recover(backup))
  print("    intact again:", intact())
end
State.clear(scope)
