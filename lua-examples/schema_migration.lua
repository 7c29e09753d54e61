-- Takes entries from one version of their schema to the next ones, and back.
-- Run: npx llmspell run --config config/migration-enabled.toml lua-examples/schema_migration.lua

if not State.migrate then
  print('migrations are switched off in this configuration')
  return
end

State.set('user:1', 'profile', { name = 'Ada Lovelace', age = '36' })
State.set('user:2', 'profile', { name = 'Plato' })

local status = State.get_migration_status()
print('current ' .. status.current_version .. ', latest ' .. status.latest_version)
print('versions ' .. table.concat(State.get_schema_versions(), ', '))
print('can go to ' .. table.concat(status.migration_targets, ', '))

local function show()
  local profile = State.get('user:1', 'profile')
  local name = profile.name
  if type(name) == 'table' then name = name.first .. ' | ' .. name.last end
  print(('  %s, %s (%s), theme %s'):format(name, profile.age, math.type(profile.age) or type(profile.age), profile.settings and profile.settings.theme))
end

for _, version in ipairs({ '1.1.0', '2.0.0', '2.0.0', '1.0.0' }) do
  local result = State.migrate(version)
  assert(result.success, result.error)
  print(('%s -> %s: %s, %d changed'):format(result.from_version, result.to_version, result.status, result.items_migrated))
  show()
end
