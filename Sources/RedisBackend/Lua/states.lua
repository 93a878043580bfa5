#!lua flags=no-writes
-- states: says of users whether others see them online, and away.
--
-- KEYS    1 online, 2 seen, 3 states
-- ARGV    users, 500 at most
-- result  since when online (0: not, or invisible) and last seen (0: never) in ms, and whether away (0, 1), for each
-- cost    O(users)
local online, seen, states = KEYS[1], KEYS[2], KEYS[3]
local answer, told = {}, redis.call('HMGET', states, unpack(ARGV))
for i, user in ipairs(ARGV) do
  answer[#answer + 1] = told[i] == 'invisible' and 0 or tonumber(redis.call('ZSCORE', online, user) or 0)
  answer[#answer + 1] = tonumber(redis.call('ZSCORE', seen, user) or 0)
  answer[#answer + 1] = told[i] == 'away' and 1 or 0
end
return answer
