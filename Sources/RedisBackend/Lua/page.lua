#!lua flags=allow-oom
-- page: reads part of a sorted set, in an order that stays while members come and go.
--
-- KEYS    1 the set
-- ARGV    1 limit, 2 score and 3 member after which to go on (left out, both: from the beginning)
-- result  member, score for each
-- cost    O(log set + limit); more where the member after which to go on has gone and many have its score
local limit = tonumber(ARGV[1])
if not ARGV[2] then return redis.call('ZRANGE', KEYS[1], 0, limit - 1, 'WITHSCORES') end
local score, from = redis.call('ZSCORE', KEYS[1], ARGV[3]), nil
if score and tonumber(score) == tonumber(ARGV[2]) then
  from = redis.call('ZRANK', KEYS[1], ARGV[3]) + 1
else
  from = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[2])
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[2], ARGV[2])) do
    if member <= ARGV[3] then from = from + 1 end
  end
end
return redis.call('ZRANGE', KEYS[1], from, from + limit - 1, 'WITHSCORES')
