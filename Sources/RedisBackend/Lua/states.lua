#!lua flags=no-writes
-- states: says of users whether they are online.
--
-- KEYS    1 online, 2 seen
-- ARGV    users, 500 at most
-- result  since when online (0: not), last seen (0: never) for each, in ms
-- cost    O(users)
local online, seen = KEYS[1], KEYS[2]
local answer = {}
for _, user in ipairs(ARGV) do
  answer[#answer + 1] = tonumber(redis.call('ZSCORE', online, user) or 0)
  answer[#answer + 1] = tonumber(redis.call('ZSCORE', seen, user) or 0)
end
return answer
