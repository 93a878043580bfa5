#!lua flags=allow-oom
-- signal: hands what one member of a room tells another to the nodes that hold the other's connections there.
--
-- KEYS    1 members, 2 head, 3 settings
-- ARGV    1 the sender's connection, 2 sender, 3 receiver, 4 room, 5 payload, 6 PUBLISH or SPUBLISH,
--         7 what the nodes' channels begin with, 8 attempt (0 the first, 1 a retry)
-- result  how many nodes; -1 where the sender is not in the room, 0 where the receiver is not, or is invisible; -2 for a
--         retry: nothing is stored that would tell whether the first has come to the receiver, who must not get it twice;
--         -3 where the room does not let the sender signal, -4 where the sender is mute there
-- cost    O(the receiver's connections in the room)
local members, head, settings = KEYS[1], KEYS[2], KEYS[3]
local connection, sender, receiver, room, payload, command = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local nodes_channel, attempt = ARGV[7], ARGV[8]
if attempt == '1' then return -2 end
local _, _, holder = find_connection(read_member({ members = members, head = head }, sender), connection)
if not holder or string.sub(holder, 1, 1) == '~' then return -1 end
local bars = redis.call('HGET', head, 'settings')
local letters = letters_of(bars)
local bar = letters ~= '' and bar_user(settings, bars, letters, 'g', 'signal', sender, now())
if bar then return bar == 'muted' and -4 or -3 end
local text = 'g ' .. #room .. ' ' .. #sender .. ' ' .. #receiver .. ' ' .. room .. sender .. receiver .. payload
local told, count = {}, 0
for holder in string.gmatch(redis.call('HGET', members, receiver) or '', '\1([^\2]+)') do
  local node = string.match(holder, '^([^~:][^:]*):')
  if node and not told[node] then
    redis.call(command, nodes_channel .. node, text)
    told[node], count = true, count + 1
  end
end
return count
