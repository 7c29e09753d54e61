-- A step of 2.0.0.toml: takes the name apart, and back.
local names = {}

function names.up(profile)
  local first, last = profile.name:match('^(%S+)%s*(.*)$')
  profile.name = { first = first, last = last ~= '' and last or nil }
  return profile
end

function names.down(profile)
  local name = profile.name
  profile.name = name.last and name.first .. ' ' .. name.last or name.first
  return profile
end

return names
