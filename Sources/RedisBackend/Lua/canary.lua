#!lua flags=allow-oom
-- canary: sends a node a message over its own channel, which it must hear again.
--
-- KEYS    1 state
-- ARGV    1 PUBLISH or SPUBLISH, 2 the node's channel, 3 the message
-- result  how many heard it, and when the partition was born, as `meet` has it: '' where it does not know
-- cost    O(1)
local state = KEYS[1]
local command, channel, message = ARGV[1], ARGV[2], ARGV[3]
return { redis.call(command, channel, message), redis.call('HGET', state, 'born') or '' }
