#!lua flags=allow-oom
-- remember: writes a room into a session, or takes it out, while the session names the caller's connection.
--
-- KEYS    1 session
-- ARGV    1 connection, 2 `add` or `remove`, 3 room, 4 what was said to be shown of the user there ('': nothing was)
-- result  1, or 0 where the session is gone or names another connection
-- cost    O(1)
local session = KEYS[1]
local connection, what, room, info = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if redis.call('HGET', session, 'c') ~= connection then return 0 end
if what == 'add' then
  redis.call('HSET', session, 'r:' .. room, info)
else
  redis.call('HDEL', session, 'r:' .. room)
end
return 1
