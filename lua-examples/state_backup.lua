-- Backups from a script: full, incremental, listed, validated; then data is lost and comes back.
--
--   llmspell run --config config/backup-enabled.toml lua-examples/state_backup.lua

assert(State.create_backup, "this configuration has no backups: use --config config/backup-enabled.toml")

local function step(title) print("\n== " .. title) end

local function show(backup)
  print(("%s  %-11s  %3d entries  %6d bytes  %s"):format(
    backup.id:sub(1, 8), backup.is_incremental and "incremental" or "full",
    backup.entry_count, backup.size_bytes, backup.description))
end

local function must(result)
  assert(result.success, result.error)
  return result
end

step "Something worth keeping"
State.clear("custom:shop")
State.set("custom:shop", "config", { currency = "EUR", tax = 0.19, countries = { "DE", "FR", "IT" } })
for n = 1, 100 do
  State.set("custom:shop", ("order:%04d"):format(n), { id = n, total = n * 9.99, paid = n % 3 == 0 })
end
print("entries:", #State.list("custom:shop"))

step "A full backup"
local full = must(State.create_backup { description = "before the sale", tags = { "shop" } })
print(full.backup_id:sub(1, 8), full.is_incremental and "incremental" or "full", full.compression)

step "Changes, and an incremental backup: it holds only what changed"
for n = 101, 110 do State.set("custom:shop", ("order:%04d"):format(n), { id = n, total = 1.5 }) end
State.delete("custom:shop", "order:0001")
local incremental = must(State.create_backup { incremental = true, description = "after the sale", tags = { "shop" } })
print(incremental.backup_id:sub(1, 8), incremental.is_incremental and "incremental" or "full")
print("rests on:", incremental.parent_id:sub(1, 8), "smaller:", incremental.size_bytes < full.size_bytes)

step "The backups there are"
for _, backup in ipairs(State.list_backups { tag = "shop" }) do
  if backup.id == full.backup_id or backup.id == incremental.backup_id then show(backup) end
end

step "Every byte of the chain is read and checked"
local report = State.validate_backup(incremental.backup_id)
print("valid:", report.is_valid, "checksums:", report.checksum_valid, "chain:", report.chain_valid)

step "Disaster"
print("lost:", State.clear("custom:shop"))
print("config:", State.get("custom:shop", "config"))

step "And back"
local restored = must(State.restore_backup(incremental.backup_id))
print("archives replayed:", #restored.chain)
print("entries:", #State.list("custom:shop"))
print("tax:", State.get("custom:shop", "config").tax)
print("order 1 (deleted before the second backup):", State.get("custom:shop", "order:0001"))
print("order 110 total:", State.get("custom:shop", "order:0110").total)

step "A restore can be undone: the state before it was kept"
must(State.restore_backup(restored.rollback_id))
print("entries after undoing:", #State.list("custom:shop"))
must(State.restore_backup(incremental.backup_id))
print("entries after restoring again:", #State.list("custom:shop"))

step "What is on disk"
local usage = State.get_storage_usage()
print("backups:", usage.total_backups > 1, "bytes:", usage.total_size > 0)
