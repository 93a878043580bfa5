#!lua flags=allow-oom
-- remember: writes a room into a session, or takes it out, while the session names the caller's connection.
--
-- KEYS    1 session
-- ARGV    1 connection, 2 `add` or `remove`, 3 room
-- result  1, or 0 where the session is gone or names another connection
-- cost    O(1)
if redis.call('HGET', KEYS[1], 'c') ~= ARGV[1] then return 0 end
if ARGV[2] == 'add' then
  redis.call('HSET', KEYS[1], 'r:' .. ARGV[3], '')
else
  redis.call('HDEL', KEYS[1], 'r:' .. ARGV[3])
end
return 1
