#!lua flags=allow-oom
-- lift: ends the ban of a range of addresses.
--
-- KEYS    1 banned ranges by the end of their ban, 2 why, 3 version of both
-- ARGV    1 range
-- result  1, or 0 where that very range is not banned
-- cost    O(log bans)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
if ends <= now then return 0 end
local version = tonumber(redis.call('GET', KEYS[3]) or 0)
redis.call('SET', KEYS[3], string.format('%.0f', math.max(version + 1, now)), 'KEEPTTL')
return 1
