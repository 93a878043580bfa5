#!lua
-- show: changes what the members of a room are shown of a user, and tells it if that is new; the connection that asks is
-- told as well, since it counts the steps too.
--
-- KEYS    1 members, 2 head
-- ARGV    1 node, 2 incarnation, 3 connection, 4 user, 5 info, 6 life of a head without messages in ms,
--         7 PUBLISH or SPUBLISH, 8 the room's channel
-- result  1, or 0 where the node does not hold the connection in the room (any more)
-- cost    as `join`
local members, head = KEYS[1], KEYS[2]
local node, incarnation, connection, user, info = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local head_life, command, channel = ARGV[6], ARGV[7], ARGV[8]
local room = { members = members, head = head, head_life = head_life, command = command, channel = channel }
local packed, is_hidden = read_member(room, user)
local _, _, holder = find_connection(packed, connection)
if not holder or not is_held_by(holder, node, incarnation) then return 0 end
local rest = connections_of(packed)
if string.sub(packed, 1, #packed - #rest) == info then return 1 end
write_member(room, user, info .. rest, is_hidden)
if is_hidden then return 1 end
local moment = now()
publish(room, step(room, moment), moment, { spell('u', '-', user, info) })
return 1
