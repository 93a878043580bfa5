-- Shared opening of the scripts that ask how far the ledger's receivers have come.

-- What XINFO GROUPS tells of each group: name → last id given, how many entries are given and not settled, and how many are
-- not given yet.
local function groups_of(stream)
  local groups = {}
  if redis.call('EXISTS', stream) == 0 then return groups end
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local all = {}
    for i = 1, #info, 2 do all[info[i]] = info[i + 1] end
    groups[all['name']] = { last = all['last-delivered-id'], pending = all['pending'], lag = all['lag'] or 0 }
  end
  return groups
end

-- Whether a receiver is so far behind that nothing is added to the ledger which clients cause as often as they please: none
-- of what else happened has to go for that.
local function is_far_behind(events)
  for _, group in pairs(groups_of(events)) do
    if group.lag + group.pending > 500 then return true end
  end
  return false
end
