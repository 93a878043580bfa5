#!lua flags=allow-oom
-- prune: forgets that rooms are governed whose settings have ended by themselves.
--
-- KEYS    1 governed, then the settings of each room
-- ARGV    the rooms
-- result  how many were forgotten
-- cost    O(rooms)
local governed = KEYS[1]
local count = 0
for i = 1, #ARGV do
  if redis.call('EXISTS', KEYS[i + 1]) == 0 then count = count + redis.call('HDEL', governed, ARGV[i]) end
end
return count
