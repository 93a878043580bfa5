#!lua flags=allow-oom
-- renounce: a node gives up its older incarnations in a partition, where it has registered all that it holds again.
--
-- KEYS    1 fence
-- ARGV    1 node, 2 its incarnation, 3 life of the fence in ms
-- result  the fence
-- cost    O(1)
local fence = tonumber(redis.call('HGET', KEYS[1], ARGV[1])) or 0
if fence >= tonumber(ARGV[2]) then return fence end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return tonumber(ARGV[2])
