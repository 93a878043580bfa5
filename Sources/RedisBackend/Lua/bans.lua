#!lua flags=no-writes
-- bans: the banned ranges of addresses.
--
-- KEYS    1 banned ranges by the end of their ban, 2 why, 3 version of both
-- result  now in ms, the version (empty where nothing was ever banned), and of each ban that holds the range, its end and
--         why
-- cost    O(bans), of which there are 10,000 at most
local ranges, reasons, version_key = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = { now, redis.call('GET', version_key) or '' }
local bans = redis.call('ZRANGEBYSCORE', ranges, '(' .. string.format('%.0f', now), '+inf', 'WITHSCORES')
for i = 1, #bans, 2 do
  local n = #answer
  answer[n + 1], answer[n + 2] = bans[i], bans[i + 1]
  answer[n + 3] = redis.call('HGET', reasons, bans[i]) or ''
end
return answer
