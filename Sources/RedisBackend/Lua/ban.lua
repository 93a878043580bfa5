#!lua flags=allow-oom
-- ban: keeps a range of addresses out for a while; the range's ban before it is replaced.
--
-- KEYS    1 banned ranges by the end of their ban, 2 why, 3 version of both
-- ARGV    1 range, 2 for how many seconds, 3 why, 4 how many bans there may be
-- result  `ok` and the end in ms by Redis's clock; `full` where there are as many as there may be
--         All keys end with the last ban.
-- cost    O(log bans), and as much for each of up to 1,000 that have ended
local ranges, reasons, version_key = KEYS[1], KEYS[2], KEYS[3]
local range, seconds, reason, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local over = redis.call('ZRANGEBYSCORE', ranges, '-inf', now, 'LIMIT', 0, 1000)
if #over > 0 then
  redis.call('ZREM', ranges, unpack(over))
  redis.call('HDEL', reasons, unpack(over))
end
if not redis.call('ZSCORE', ranges, range) and redis.call('ZCARD', ranges) >= tonumber(most) then
  return { 'full' }
end
local ends = now + seconds * 1000
redis.call('ZADD', ranges, ends, range)
redis.call('HSET', reasons, range, reason)
local version = tonumber(redis.call('GET', version_key) or 0)
redis.call('SET', version_key, string.format('%.0f', math.max(version + 1, now)))
local last = redis.call('ZRANGE', ranges, -1, -1, 'WITHSCORES')[2]
for _, key in ipairs({ ranges, reasons, version_key }) do redis.call('PEXPIREAT', key, string.format('%.0f', last)) end
return { 'ok', ends }
