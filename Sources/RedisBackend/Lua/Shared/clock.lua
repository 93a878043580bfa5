-- Shared opening of all scripts with a clock, before their other openings.

-- Redis's clock in milliseconds. It is text, since Lua writes numbers slowly: arithmetic takes it as it is, a comparison
-- wants `tonumber`.
local function now()
  local time = redis.call('TIME')
  return time[1] .. string.sub('00000' .. time[2], -6, -4)
end
