-- Shared opening of the scripts about who is in a room, behind that of the presence scripts.

-- Sees that a head lives on: a roster keeps it for a while only, a message for longer. One that has half of the while
-- before it is left to whoever renews it.
local function keep(head, life)
  if redis.call('PTTL', head) < life / 2 then redis.call('PEXPIRE', head, life) end
end

-- Counts one event in a room's roster version and answers the version; it begins at the clock, so that it never
-- runs backwards when the head was forgotten.
local function step(room, moment)
  local version = redis.call('HINCRBY', room.head, 'roster', '1')
  if version > 1 then return version end
  redis.call('HSET', room.head, 'roster', moment + 1)
  keep(room.head, room.head_life)
  return moment + 1
end

-- A member as `members` holds it: the info of whichever connection joined last, then `^connection~holder` for each, ^ being
-- the byte 2 and ~ the byte 1, which no JSON text holds. So the info is there once, and one connection of thousands is
-- found by its name, without taking the others apart.
local function spell_connection(connection, holder)
  return '\2' .. connection .. '\1' .. holder
end

-- Where one of a member's connections begins and ends, and its holder; nil where it is not there.
local function find_connection(packed, connection)
  local first, last = string.find(packed, '\2' .. connection .. '\1', 1, true)
  if not first then return nil end
  local finish = (string.find(packed, '\2', last, true) or #packed + 1) - 1
  return first, finish, string.sub(packed, last + 1, finish)
end

-- The connections of a member, without the info before them.
local function connections_of(packed)
  return string.sub(packed, string.find(packed, '\2', 1, true) or #packed + 1)
end

-- A member of a room as it is held: among those who are shown, or, of a user who is invisible, in the head; and whether it
-- is the latter. '' where the user is no member.
local function read_member(room, user)
  local packed = redis.call('HGET', room.members, user)
  if packed then return packed, false end
  packed = redis.call('HGET', room.head, 'h:' .. user)
  return packed or '', packed and true or false
end

local function write_member(room, user, packed, is_hidden)
  if is_hidden then
    redis.call('HSET', room.head, 'h:' .. user, packed)
  else
    redis.call('HSET', room.members, user, packed)
  end
end

-- Takes a hidden member out of the head; false where there was none.
local function forget_hidden(room, user)
  if redis.call('HDEL', room.head, 'h:' .. user) == 0 then return false end
  if redis.call('HINCRBY', room.head, 'hidden', -1) < 1 then redis.call('HDEL', room.head, 'hidden') end
  return true
end

-- Puts a text in the place of a part.
local function splice(packed, first, last, text)
  return string.sub(packed, 1, first - 1) .. text .. string.sub(packed, last + 1)
end

-- One event as it goes over a room's channel.
local function spell(kind, connection, user, info)
  return kind .. ' ' .. connection .. ' ' .. #user .. ' ' .. #info .. ' ' .. user .. info
end

-- Sends the events of one step of a room, `p version members timestamp count` and the events, to the members; how many
-- those are is counted where the caller has not.
local function publish(room, version, moment, events, count)
  local members = count or redis.call('HLEN', room.members)
  local head = 'p ' .. version .. ' ' .. members .. ' ' .. moment .. ' ' .. #events .. ' '
  redis.call(room.command, room.channel, head .. table.concat(events))
end

-- Tells that a room is vacated, if that is so and was not told.
local function vacate(room, cause, ledger)
  if redis.call('HLEN', room.members) > 0 then return end
  local others = redis.call('HMGET', room.head, 'hidden', 'guests')
  if not others[1] and not others[2] and redis.call('ZREM', room.rooms, room.name) == 1 then
    note(ledger, 'room.vacated', '', room.name, cause)
  end
end

-- A moment in a room, as its settings tell since when somebody is in it: in ms, and the seq of the last message before it.
-- A head of an earlier run of Redis tells it as well: its epoch ends, and its count goes on.
local function place_at(head, moment)
  return moment .. ' ' .. (redis.call('HGET', head, 'seq') or '0')
end

-- The host of a room is not in it: the partition's coordinator is told to look who follows.
local function offer_chair(room)
  redis.call('ZADD', room.vacant, 'NX', now(), room.name)
  local node = string.match(redis.call('GET', room.coordinator) or '', '^([^:]+):')
  if node then redis.call(room.command, room.nodes .. node, 'h ' .. room.name) end
end

-- A member has left a room: of a governed one its time there is over, and where it was the host the chair is vacant. Members and settings of a room that is not governed are left alone.
local function rise(room, user)
  local host = redis.call('HGET', room.governed, room.name)
  if not host then return end
  redis.call('HDEL', room.settings, 'since:' .. user)
  if host == user then offer_chair(room) end
end

-- Takes some of a member's connections away for good; `rest` is what is left of the member. Answers the event's text if
-- the member has left with them.
local function remove_memberships(room, user, connections, rest, cause, ledger, is_hidden)
  redis.call('SREM', room.conns, unpack(connections))
  if string.find(rest, '\2', 1, true) then
    write_member(room, user, rest, is_hidden)
    return nil
  end
  if is_hidden then
    if not forget_hidden(room, user) then return nil end
  elseif redis.call('HDEL', room.members, user) == 0 then
    return nil
  end
  note(ledger, 'member.left', user, room.name, cause)
  rise(room, user)
  vacate(room, cause, ledger)
  -- Of whom nobody could see nobody is told.
  return not is_hidden and spell('l', connections[#connections], user, '') or nil
end
