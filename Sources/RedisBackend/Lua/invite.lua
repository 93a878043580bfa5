#!lua flags=allow-oom
-- invite: has the nodes that hold a user's connections put those into a room.
--
-- KEYS    1 the user's connections
-- ARGV    1 user, 2 room, 3 PUBLISH or SPUBLISH, 4 what the nodes' channels begin with
-- result  how many connections there are, without those in their grace
-- cost    O(the user's connections)
local conns = KEYS[1]
local user, room, command, nodes_channel = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local told, count = {}, 0
for _, record in ipairs(redis.call('HVALS', conns)) do
  local node = string.match(record, '^([^~:][^:]*):')
  if node then
    count = count + 1
    if not told[node] then
      redis.call(command, nodes_channel .. node, 'n ' .. #room .. ' ' .. room .. user)
      told[node] = true
    end
  end
end
return count
