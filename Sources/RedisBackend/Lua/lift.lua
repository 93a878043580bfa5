#!lua flags=allow-oom
-- lift: ends the ban of a range of addresses.
--
-- KEYS    1 banned ranges by the end of their ban, 2 why, 3 version of both
-- ARGV    1 range
-- result  1, or 0 where that very range is not banned
-- cost    O(log bans)
local ranges, reasons, version_key = KEYS[1], KEYS[2], KEYS[3]
local range = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = tonumber(redis.call('ZSCORE', ranges, range) or 0)
redis.call('ZREM', ranges, range)
redis.call('HDEL', reasons, range)
if ends <= now then return 0 end
local version = tonumber(redis.call('GET', version_key) or 0)
redis.call('SET', version_key, string.format('%.0f', math.max(version + 1, now)), 'KEEPTTL')
return 1
