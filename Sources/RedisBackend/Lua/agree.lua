#!lua flags=allow-oom
-- agree: gives a field of the deployment its value, where it has none yet, and says what it is.
--
-- KEYS    1 deployment
-- ARGV    1 field, 2 the value that the caller would give it
-- result  the value that all nodes hold
-- cost    O(1)
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HGET', KEYS[1], ARGV[1])
