#!lua flags=allow-oom
-- agree: gives a field of the deployment its value, where it has none yet, and says what it is.
--
-- KEYS    1 deployment
-- ARGV    1 field, 2 the value that the caller would give it
-- result  the value that all nodes hold
-- cost    O(1)
local deployment = KEYS[1]
local field, value = ARGV[1], ARGV[2]
redis.call('HSETNX', deployment, field, value)
return redis.call('HGET', deployment, field)
