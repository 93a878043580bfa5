#!lua flags=allow-oom
-- leave: takes a connection out of a room at once, or begins its grace; tells that the member left with the last one.
--
-- KEYS    1 members, 2 the room's connections, 3 rooms, 4 head, 5 the node's set, 6 linger, 7 events
-- ARGV    1 node (`*`: whoever holds it, or its grace), 2 incarnation, 3 connection, 4 user, 5 room,
--         6 `farewell` or `lost`, 7 cause, 8 grace in ms, 9 life of the keys in ms,
--         10 life of a head without messages in ms, 11 ledger size, 12 PUBLISH or SPUBLISH,
--         13 the room's channel
-- result  1, or 0 where the node does not hold the connection in the room (any more)
-- cost    as `join`
local connection, user, name = ARGV[3], ARGV[4], ARGV[5]
local entry = 'r|' .. name .. '|' .. user .. '|' .. connection
redis.call('SREM', KEYS[5], entry)
local room = {
  members = KEYS[1], conns = KEYS[2], rooms = KEYS[3], head = KEYS[4], name = name, head_life = ARGV[10],
  command = ARGV[12], channel = ARGV[13],
}
local ledger, packed = { key = KEYS[7], size = ARGV[11] }, redis.call('HGET', KEYS[1], user) or ''
local first, last, holder = find_connection(packed, connection)
if not first then
  vacate(room, ARGV[7], ledger)
  return 0
end
if ARGV[1] ~= '*' and not is_held_by(holder, ARGV[1], ARGV[2]) then return 0 end

local moment = now()
if ARGV[6] == 'lost' then
  redis.call('HSET', KEYS[1], user, splice(packed, first, last, spell_connection(connection, '~' .. ARGV[7])))
  redis.call('SREM', KEYS[2], connection)
  redis.call('ZADD', KEYS[6], moment + ARGV[8], entry)
  linger(KEYS[1], KEYS[6], ARGV[8], ARGV[9])
  return 1
end
if ARGV[1] == '*' then redis.call('ZREM', KEYS[6], entry) end
local event = remove_memberships(room, user, { connection }, splice(packed, first, last, ''), ARGV[7], ledger)
if event then publish(room, step(room, moment), moment, { event }) end
return 1
