#!lua flags=allow-oom
-- renounce: a node gives up its older incarnations in a partition, where it has registered all that it holds again.
--
-- KEYS    1 fence
-- ARGV    1 node, 2 its incarnation, 3 life of the fence in ms
-- result  the fence
-- cost    O(nodes fenced within that life)
local fences = KEYS[1]
local node, incarnation, life = ARGV[1], ARGV[2], ARGV[3]
local fence = tonumber(redis.call('HGET', fences, node)) or 0
if fence >= tonumber(incarnation) then return fence end
redis.call('HSET', fences, node, incarnation)
written(fences, node, life, now())
return tonumber(incarnation)
