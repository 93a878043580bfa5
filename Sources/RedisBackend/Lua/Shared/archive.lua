-- Shared opening of scripts that ask how far the archive is, behind that of the clock.

-- The archive's group of a stream: pending, behind (how many lie behind the last that was given), next (the id of the first of
-- them); nil where there is none yet. Redis counts those that were trimmed unread as behind, or does not know: nobody will be
-- given them, so there are no more than lie there.
local function standing_of(stream, group)
  for _, fields in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local found = {}
    for i = 1, #fields, 2 do found[fields[i]] = fields[i + 1] end
    if found.name == group then
      local standing = { pending = found.pending, behind = 0 }
      if found.lag ~= 0 then
        local next = redis.call('XRANGE', stream, '(' .. found['last-delivered-id'], '+', 'COUNT', 1)[1]
        local length = redis.call('XLEN', stream)
        if next then standing.behind, standing.next = math.min(found.lag or length, length), next[1] end
      end
      return standing
    end
  end
end
