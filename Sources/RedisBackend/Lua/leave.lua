#!lua flags=allow-oom
-- leave: takes a connection out of a room at once, or begins its grace; tells that the member left with the last one.
--
-- KEYS    1 members, 2 the room's connections, 3 rooms, 4 head, 5 the node's set, 6 linger, 7 events, 8 settings,
--         9 governed, 10 vacant, 11 coordinator
-- ARGV    1 node (`*`: whoever holds it, or its grace), 2 incarnation, 3 connection, 4 user, 5 room,
--         6 `farewell` or `lost`, 7 cause, 8 grace in ms, 9 life of the keys in ms,
--         10 life of a head without messages in ms, 11 ledger size, 12 PUBLISH or SPUBLISH,
--         13 the room's channel, 14 what the nodes' channels begin with
-- result  1, or 0 where the node does not hold the connection in the room (any more)
-- cost    as `join`
local members, conns, rooms, head, held, lingering = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local events, settings, governed, vacant, coordinator = KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local node, incarnation, connection, user, name, mode = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local cause, grace, life, head_life, ledger_size, command = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local channel, nodes_channel = ARGV[13], ARGV[14]
local entry = 'r|' .. name .. '|' .. user .. '|' .. connection
redis.call('SREM', held, entry)
local room = {
  members = members, conns = conns, rooms = rooms, head = head, name = name, head_life = head_life,
  command = command, channel = channel, settings = settings, governed = governed, vacant = vacant,
  coordinator = coordinator, nodes = nodes_channel,
}
local ledger = { key = events, size = ledger_size }
local packed, is_hidden = read_member(room, user)
local first, last, holder = find_connection(packed, connection)
if not first then
  vacate(room, cause, ledger)
  return 0
end
if node ~= '*' and not is_held_by(holder, node, incarnation) then return 0 end

local moment = now()
if mode == 'lost' then
  write_member(room, user, splice(packed, first, last, spell_connection(connection, '~' .. cause)), is_hidden)
  redis.call('SREM', conns, connection)
  redis.call('ZADD', lingering, moment + grace, entry)
  linger(members, lingering, grace, life)
  return 1
end
if node == '*' then redis.call('ZREM', lingering, entry) end
local event = remove_memberships(room, user, { connection }, splice(packed, first, last, ''), cause, ledger, is_hidden)
if event then publish(room, step(room, moment), moment, { event }) end
return 1
