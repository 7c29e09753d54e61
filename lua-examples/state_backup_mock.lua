-- The shapes of the results of every backup call.
--
--   llmspell run --config config/backup-enabled.toml lua-examples/state_backup_mock.lua
--
-- A script of this name once showed these shapes with invented numbers, because the calls behind it were not connected.
-- Here every table comes from a real call; only what differs from run to run is printed as its type.

assert(State.create_backup, "this configuration has no backups: use --config config/backup-enabled.toml")

local function kind(value)
  if type(value) == "table" then return ("array of %d"):format(#value) end
  return math.type(value) or type(value)
end

local function shape(title, result, fields)
  print("\n== " .. title)
  for field in fields:gmatch("%S+") do
    local value = result[field]
    print(("  %-19s %s"):format(field, type(value) == "boolean" and tostring(value) or kind(value)))
  end
end

State.clear("custom:shapes")
State.set("custom:shapes", "answer", 42)

local full = State.create_backup { description = "shapes", tags = { "demo" } }
shape("create_backup { description, tags }", full,
  "success backup_id is_incremental parent_id created_at created_at_ms size_bytes uncompressed_bytes "
  .. "entry_count compression duration_ms warnings error")

State.set("custom:shapes", "answer", 43)
local incremental = State.create_backup(true)
shape("create_backup(true)", incremental, "success backup_id is_incremental parent_id size_bytes entry_count")

local listed = State.list_backups()
shape("list_backups()[n]", listed[#listed],
  "id created_at created_at_ms size_bytes is_incremental parent_id entry_count compression description tags pinned")
print("  made on             " .. type(os.date("%c", listed[#listed].created_at)))

shape("validate_backup(id)", State.validate_backup(incremental.backup_id),
  "backup_id is_valid checksum_valid integrity_valid chain_valid errors warnings validated_at duration_ms")

shape("restore_backup(id)", State.restore_backup(full.backup_id),
  "success backup_id entries_restored entries_deleted rollback_id chain duration_ms error errors")

shape("diff_backups(a, b)", State.diff_backups(full.backup_id, incremental.backup_id), "added changed removed")

shape("cleanup_backups(true)", State.cleanup_backups(true),
  "success dry_run deleted_count retained_count space_freed deleted kept error")

shape("get_storage_usage()", State.get_storage_usage(),
  "total_backups total_size full_backups incremental_backups oldest_backup newest_backup")

shape("delete_backup of one that is needed", State.delete_backup(full.backup_id), "success error")
shape("delete_backup", State.delete_backup(incremental.backup_id), "success error")
