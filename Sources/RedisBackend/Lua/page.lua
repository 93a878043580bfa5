#!lua flags=no-writes
-- page: reads part of a sorted set, in an order that stays while members come and go.
--
-- KEYS    1 the set
-- ARGV    1 limit, 2 score and 3 member after which to go on (left out, both: from the beginning)
-- result  member, score for each
-- cost    O(log set + limit); more where the member after which to go on has gone and many have its score
local set = KEYS[1]
local most, after_score, after = ARGV[1], ARGV[2], ARGV[3]
local limit = tonumber(most)

-- Whether a member comes before another, or is it, as the set has them: Lua itself would go by the server's locale.
local function comes_first(member, other)
  for i = 1, math.min(#member, #other) do
    local byte, against = string.byte(member, i), string.byte(other, i)
    if byte ~= against then return byte < against end
  end
  return #member <= #other
end

if not after_score then return redis.call('ZRANGE', set, 0, limit - 1, 'WITHSCORES') end
local score, from = redis.call('ZSCORE', set, after), nil
if score and tonumber(score) == tonumber(after_score) then
  from = redis.call('ZRANK', set, after) + 1
else
  from = redis.call('ZCOUNT', set, '-inf', '(' .. after_score)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', set, after_score, after_score)) do
    if comes_first(member, after) then from = from + 1 end
  end
end
return redis.call('ZRANGE', set, from, from + limit - 1, 'WITHSCORES')
