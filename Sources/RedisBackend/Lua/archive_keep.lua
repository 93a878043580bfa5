#!lua flags=allow-oom
-- archive_keep: prolongs the lease that a worker of the archive has, or ends it.
--
-- KEYS    1 lease (see archive_take)
-- ARGV    1 worker, 2 token, 3 life in ms; 0 ends it
-- result  whether the lease was the worker's (0, 1)
-- cost    O(1)
local lease = KEYS[1]
local worker, token, life = ARGV[1], ARGV[2], tonumber(ARGV[3])
local held = redis.call('HMGET', lease, 'w', 't')
if held[1] ~= worker or held[2] ~= token then return 0 end
redis.call('HSET', lease, 'e', life == 0 and '0' or string.format('%.0f', now() + life))
return 1
