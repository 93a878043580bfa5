#!lua flags=no-writes
-- compare: says which of what a node has registered lacks a part, as after somebody deleted a key.
--
-- KEYS    1 online, 2 rooms, 3 holders, 4 states, then for each user entry its connections, session; for each member entry the
--         room's members, connections, head; for an entry of guests the room's head
-- ARGV    1 the node as `node:incarnation`, then `u`, connection, user for a user entry;
--         `r`, connection, user, room for a member entry; and `g`, how many, room for one of guests
-- result  the places of those that do, counted from 0; then of those whose user is told to be invisible, or who is hidden in
--         the room
-- cost    O(entries)
local online, rooms, holders, states = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local holder = ARGV[1]
local has_holder = redis.call('SISMEMBER', holders, holder) == 1

local function is_user(conns, session, connection, user)
  return string.match(redis.call('HGET', conns, connection) or '', '^%S+') == holder
    and redis.call('HGET', session, 'c') == connection and redis.call('ZSCORE', online, user)
end

local function is_member(members, conns, head, connection, user, room)
  local packed, is_hidden = read_member({ members = members, head = head }, user)
  local _, _, found = find_connection(packed, connection)
  return is_hidden, found == holder and redis.call('SISMEMBER', conns, connection) == 1
    and redis.call('ZSCORE', rooms, room) and redis.call('HEXISTS', head, 'roster') == 1
end

local function are_guests(head, count, room)
  local held = (redis.call('HGET', head, 'guests') or '') .. ' '
  return string.find(held, ' ' .. holder .. '=' .. count .. ' ', 1, true) and redis.call('ZSCORE', rooms, room)
end

local lacking, hidden, place, key, i = {}, {}, 0, 5, 2
while ARGV[i] do
  local is_whole, is_hidden
  if ARGV[i] == 'u' then
    is_whole = is_user(KEYS[key], KEYS[key + 1], ARGV[i + 1], ARGV[i + 2])
    is_hidden = redis.call('HGET', states, ARGV[i + 2]) == 'invisible'
    key, i = key + 2, i + 3
  elseif ARGV[i] == 'g' then
    is_whole = are_guests(KEYS[key], ARGV[i + 1], ARGV[i + 2])
    key, i = key + 1, i + 3
  else
    is_hidden, is_whole = is_member(KEYS[key], KEYS[key + 1], KEYS[key + 2], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
    key, i = key + 3, i + 4
  end
  if not (has_holder and is_whole) then lacking[#lacking + 1] = place end
  if is_hidden then hidden[#hidden + 1] = place end
  place = place + 1
end
return { lacking, hidden }
