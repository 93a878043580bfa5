-- Shared opening of the presence scripts; put behind their first line when they are loaded.
--
-- What was told is kept in `online` and `members`; a connection's record says what is true. An event is told exactly
-- when a change to the former succeeds, so a script that runs twice tells nothing twice. A holder is
-- `node:incarnation` while a node holds the connection, and `~cause` while its grace runs.

-- Redis's clock in milliseconds.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Whether a holder is this node, under this incarnation or an older one.
local function is_held_by(holder, node, incarnation)
  local name, held = string.match(holder, '^([^:]+):(%d+)$')
  return name == node and tonumber(held) <= tonumber(incarnation)
end

-- Marks a connection to be closed: for its node to find, and as a hint over the node's channel. Answers the node.
local function mark(marks, connection, holder, code, text)
  local node = string.match(holder, '^[^:]+')
  redis.call('HSET', marks.key, connection, node .. ' ' .. code .. ' ' .. text)
  redis.call('PEXPIRE', marks.key, marks.life)
  local lengths = 'x ' .. code .. ' ' .. #connection .. ' ' .. #text .. ' '
  redis.call(marks.command, marks.channel .. node, lengths .. connection .. text)
  return node
end

-- Appends a transition to the ledger.
local function note(ledger, kind, user, room, cause)
  redis.call('XADD', ledger.key, 'MAXLEN', '~', ledger.size, '*', 't', kind, 'u', user, 'r', room, 'c', cause)
end

-- Counts one event in a room's roster version and answers the version; it begins at the clock, so that it never
-- runs backwards when the head was forgotten.
local function step(room, moment)
  local version = redis.call('HINCRBY', room.head, 'roster', 1)
  if version > 1 then return version end
  redis.call('HSET', room.head, 'roster', moment + 1)
  redis.call('PEXPIRE', room.head, room.head_life)
  return moment + 1
end

-- A member's connections: `connection holder length info` each, the latest joined last.
local function unpack_member(packed)
  local list, from = {}, 1
  while from <= #packed do
    local connection, holder, length, start = string.match(packed, '^(%S+) (%S+) (%d+) ()', from)
    from = start + tonumber(length)
    list[#list + 1] = { connection, holder, string.sub(packed, start, from - 1) }
  end
  return list
end

local function pack_member(list)
  local parts = {}
  for i, one in ipairs(list) do parts[i] = one[1] .. ' ' .. one[2] .. ' ' .. #one[3] .. ' ' .. one[3] end
  return table.concat(parts)
end

-- One event as it goes over a room's channel.
local function spell(kind, connection, user, info)
  return kind .. ' ' .. connection .. ' ' .. #user .. ' ' .. #info .. ' ' .. user .. info
end

-- Sends the events of one step of a room, `p version members timestamp count` and the events. Answers the members.
local function publish(room, version, moment, events)
  local members = redis.call('HLEN', room.members)
  local head = 'p ' .. version .. ' ' .. members .. ' ' .. moment .. ' ' .. #events .. ' '
  redis.call(room.command, room.channel, head .. table.concat(events))
  return members
end

-- Takes a user's connection away for good; tells that the user went offline if it was the last one.
local function remove_connection(user, connection, cause, ledger, moment)
  redis.call('HDEL', user.conns, connection)
  if redis.call('HLEN', user.conns) > 0 then return end
  if redis.call('ZREM', user.online, user.name) == 0 then return end
  redis.call('ZADD', user.seen, moment, user.name)
  note(ledger, 'user.offline', user.name, '', cause)
  redis.call(user.command, user.channel, 's 0 ' .. moment)
end

-- Takes one of a member's connections away for good. Answers the event's text if the member has left with it.
local function remove_membership(room, user, list, index, cause, ledger, moment)
  local connection = list[index][1]
  redis.call('SREM', room.conns, connection)
  table.remove(list, index)
  if #list > 0 then
    redis.call('HSET', room.members, user, pack_member(list))
    return nil
  end
  if redis.call('HDEL', room.members, user) == 0 then return nil end
  note(ledger, 'member.left', user, room.name, cause)
  if redis.call('HLEN', room.members) == 0 and redis.call('ZREM', room.rooms, room.name) == 1 then
    note(ledger, 'room.vacated', '', room.name, cause)
  end
  return spell('l', connection, user, '')
end
