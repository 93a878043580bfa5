#!lua flags=allow-oom
-- yield: hands on the coordination of a partition: the next to claim it gets it.
--
-- KEYS    1 coordinator
-- ARGV    1 the caller's token
-- result  1, or 0 where the token is no longer the caller's
-- cost    O(1)
local coordinator = KEYS[1]
local caller = ARGV[1]
if redis.call('GET', coordinator) ~= caller then return 0 end
redis.call('SET', coordinator, '- ' .. string.match(caller, '%d+$'))
return 1
