#!lua flags=allow-oom
-- ban: keeps a range of addresses out for a while; the range's ban before it is replaced.
--
-- KEYS    1 banned ranges by the end of their ban, 2 why, 3 version of both
-- ARGV    1 range, 2 for how many seconds, 3 why, 4 how many bans there may be
-- result  `ok` and the end in ms by Redis's clock; `full` where there are as many as there may be
--         All keys end with the last ban.
-- cost    O(log bans), and as much for each of up to 1,000 that have ended
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local over = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1000)
if #over > 0 then
  redis.call('ZREM', KEYS[1], unpack(over))
  redis.call('HDEL', KEYS[2], unpack(over))
end
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then
  return { 'full' }
end
local ends = now + ARGV[2] * 1000
redis.call('ZADD', KEYS[1], ends, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
local version = tonumber(redis.call('GET', KEYS[3]) or 0)
redis.call('SET', KEYS[3], string.format('%.0f', math.max(version + 1, now)))
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, string.format('%.0f', last)) end
return { 'ok', ends }
