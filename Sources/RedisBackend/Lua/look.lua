#!lua flags=no-writes
-- look: tells a coordinator what its partition holds that may have to be swept.
--
-- KEYS    1 coordinator, 2 holders, 3 linger, 4 fence, 5 vacant
-- ARGV    1 the caller's token, 2 how many entries of linger at most, 3 what Redis's clock shows at most in ms, by the
--         caller's own: where it shows more it may have stepped, and no grace is over for that
-- result  `ok`, by which moment graces are over, when the next one ends (-1: none runs), the holders each followed by its
--         node's fence (0: none), the entries of linger whose grace is over, and rooms whose host has left, the
--         longest ago first; `refused` where the token is no longer the
--         caller's
-- cost    O(holders)
local coordinator, holders_key, lingering, fences, vacant = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local caller, most, latest = ARGV[1], ARGV[2], ARGV[3]
if redis.call('GET', coordinator) ~= caller then return { 'refused' } end
local moment, holders = string.format('%.0f', math.min(now(), tonumber(latest))), {}
for _, holder in ipairs(redis.call('SMEMBERS', holders_key)) do
  holders[#holders + 1] = holder
  holders[#holders + 1] = tonumber(redis.call('HGET', fences, string.match(holder, '^[^:]+'))) or 0
end
local due = redis.call('ZRANGEBYSCORE', lingering, '-inf', moment, 'LIMIT', 0, most)
local later = redis.call('ZRANGEBYSCORE', lingering, '(' .. moment, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return { 'ok', tonumber(moment), tonumber(later[2]) or -1, holders, due, redis.call('ZRANGE', vacant, 0, 31) }
