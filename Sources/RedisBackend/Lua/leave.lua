#!lua flags=allow-oom
-- leave: takes a connection out of a room at once, or begins its grace; tells that the member left with the last one.
--
-- KEYS    1 members, 2 the room's connections, 3 rooms, 4 head, 5 the node's set, 6 linger, 7 events
-- ARGV    1 node (`*`: whoever holds it, or its grace), 2 incarnation, 3 connection, 4 user, 5 room,
--         6 `farewell` or `lost`, 7 cause, 8 grace in ms, 9 life of the keys in ms,
--         10 life of the head in ms, 11 ledger size, 12 PUBLISH or SPUBLISH,
--         13 the room's channel
-- result  1, or 0 where the node does not hold the connection in the room (any more)
-- cost    O(the user's connections in the room)
local connection, user, name = ARGV[3], ARGV[4], ARGV[5]
local entry = 'r|' .. name .. '|' .. user .. '|' .. connection
redis.call('SREM', KEYS[5], entry)
local list = unpack_member(redis.call('HGET', KEYS[1], user) or '')
local index
for i, one in ipairs(list) do
  if one[1] == connection and (ARGV[1] == '*' or is_held_by(one[2], ARGV[1], ARGV[2])) then index = i end
end
if not index then return 0 end

local moment = now()
if ARGV[6] == 'lost' then
  list[index][2] = '~' .. ARGV[7]
  redis.call('HSET', KEYS[1], user, pack_member(list))
  redis.call('SREM', KEYS[2], connection)
  redis.call('ZADD', KEYS[6], moment + ARGV[8], entry)
  redis.call('PEXPIRE', KEYS[6], ARGV[9])
  return 1
end
if ARGV[1] == '*' then redis.call('ZREM', KEYS[6], entry) end
local room = {
  members = KEYS[1], conns = KEYS[2], rooms = KEYS[3], head = KEYS[4], name = name, head_life = ARGV[10],
  command = ARGV[12], channel = ARGV[13],
}
local event = remove_membership(room, user, list, index, ARGV[7], { key = KEYS[7], size = ARGV[11] }, moment)
if event then publish(room, step(room, moment), moment, { event }) end
return 1
