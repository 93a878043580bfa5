#!lua flags=allow-oom
-- signal: hands what one member of a room tells another to the nodes that hold the other's connections there.
--
-- KEYS    1 members
-- ARGV    1 the sender's connection, 2 sender, 3 receiver, 4 room, 5 payload, 6 PUBLISH or SPUBLISH,
--         7 what the nodes' channels begin with
-- result  how many nodes; -1 where the sender is not in the room, 0 where the receiver is not
-- cost    O(the receiver's connections in the room)
local _, _, holder = find_connection(redis.call('HGET', KEYS[1], ARGV[2]) or '', ARGV[1])
if not holder or string.sub(holder, 1, 1) == '~' then return -1 end
local text = 'g ' .. #ARGV[4] .. ' ' .. #ARGV[2] .. ' ' .. #ARGV[3] .. ' ' .. ARGV[4] .. ARGV[2] .. ARGV[3] .. ARGV[5]
local told, count = {}, 0
for holder in string.gmatch(redis.call('HGET', KEYS[1], ARGV[3]) or '', '\1([^\2]+)') do
  local node = string.match(holder, '^([^~:][^:]*):')
  if node and not told[node] then
    redis.call(ARGV[6], ARGV[7] .. node, text)
    told[node], count = true, count + 1
  end
end
return count
