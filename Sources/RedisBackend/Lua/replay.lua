#!lua flags=allow-oom
-- replay: has a receiver's events of a partition sent again, from an id on up to the last that it was given.
--
-- KEYS    1 webhooks, 2 events
-- ARGV    1 receiver, 2 the first id, 3 types with commas, or `*` for all
-- result  1, or 0 where the receiver has no place here
-- cost    O(receivers)
local group = groups_of(KEYS[2])[ARGV[1]]
if not group then return 0 end
redis.call('HSET', KEYS[1], 'replay:' .. ARGV[1], ARGV[2] .. ' ' .. group.last .. ' ' .. ARGV[3])
return 1
