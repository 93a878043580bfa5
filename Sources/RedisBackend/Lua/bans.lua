#!lua flags=no-writes,allow-oom
-- bans: the banned ranges of addresses.
--
-- KEYS    1 banned ranges by the end of their ban, 2 why, 3 version of both
-- result  now in ms, the version (empty where nothing was ever banned), and of each ban that holds the range, its end and
--         why
-- cost    O(bans), of which there are 10,000 at most
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = { now, redis.call('GET', KEYS[3]) or '' }
local bans = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf', 'WITHSCORES')
for i = 1, #bans, 2 do
  local n = #answer
  answer[n + 1], answer[n + 2] = bans[i], bans[i + 1]
  answer[n + 3] = redis.call('HGET', KEYS[2], bans[i]) or ''
end
return answer
