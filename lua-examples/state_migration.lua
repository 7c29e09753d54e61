-- A migration is all or nothing: what stands in its way is named, and a migration that was made can be undone.
-- Run: npx llmspell run --config config/migration-enabled.toml lua-examples/state_migration.lua

State.set('user:1', 'profile', { name = 'Ada', age = '36' })
State.set('user:2', 'profile', { name = 'Bob', age = 'old' })
State.set('user:3', 'profile', { age = '7' })

local failed = State.migrate('2.0.0')
print('success: ' .. tostring(failed.success) .. ', ' .. #failed.errors .. ' problems')
for _, problem in ipairs(failed.errors) do print('  ' .. problem) end
print('nothing has changed: ' .. State.get('user:1', 'profile').age)

State.set('user:2', 'profile', { name = 'Bob', age = '40' })
State.set('user:3', 'profile', { name = 'Cleo', age = '7' })
local done = State.migrate('2.0.0')
print('success: ' .. tostring(done.success) .. ', ' .. done.items_migrated .. ' changed')
print('now ' .. State.get_migration_status().current_version .. ': ' .. State.get('user:2', 'profile').name.first)

print('a backup was made before it: ' .. tostring(State.validate_backup(done.backup_id).is_valid))
local undone = State.restore_backup(done.rollback_id)
print('undone: ' .. tostring(undone.success) .. ', ' .. State.get('user:2', 'profile').name)
print('no such version: ' .. State.migrate('9.0.0').error)
