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

-- What is in its grace is renewed by nobody: it lives until that is over, and `linger`, which names it, longer still.
local function linger(record, list, grace, life)
  redis.call('PEXPIRE', record, grace + life, 'GT')
  redis.call('PEXPIRE', list, grace + 2 * life)
end

-- Where a room's stream stands, so that `position` need not be asked: epoch and seq; '' and 0 where it was never written
-- to, '' and -1 where its head is from an earlier run of Redis.
local function standing(state, head, run)
  local stored = redis.call('HMGET', head, 'epoch', 'term', 'seq')
  if not stored[1] then return '', 0 end
  local present = redis.call('HMGET', state, 'run', 'term')
  if present[1] ~= run or present[2] ~= stored[2] then return '', -1 end
  return stored[1], tonumber(stored[3])
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

-- A member's connections, the latest joined last: `connection^holder length info` each, ^ being the byte 1, which no
-- JSON text holds. So one of thousands is found by its name, without taking the others apart.
local function spell_connection(connection, holder, info)
  return connection .. '\1' .. holder .. ' ' .. #info .. ' ' .. info
end

-- Where one of a member's connections begins and ends, its holder and its info; nil where it is not there.
local function find_connection(packed, connection)
  local name, from = connection .. '\1', 1
  while true do
    local first, last = string.find(packed, name, from, true)
    if not first then return nil end
    -- What is the end of a longer name does not count; an info ends with a brace.
    if first == 1 or not string.find(packed, '^[%w_-]', first - 1) then
      local holder, length, start = string.match(packed, '^(%S+) (%d+) ()', last + 1)
      local finish = start + tonumber(length) - 1
      return first, finish, holder, string.sub(packed, start, finish)
    end
    from = last + 1
  end
end

-- Puts a text in the place of a part.
local function splice(packed, first, last, text)
  return string.sub(packed, 1, first - 1) .. text .. string.sub(packed, last + 1)
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

-- Takes a user's connection away for good; tells that the user went offline if no other is left. Also where the
-- connection's record is gone already: a user without connections must not stay online.
local function remove_connection(user, connection, cause, ledger, moment)
  redis.call('HDEL', user.conns, connection)
  if redis.call('HLEN', user.conns) > 0 then return end
  if redis.call('ZREM', user.online, user.name) == 0 then return end
  redis.call('ZADD', user.seen, moment, user.name)
  note(ledger, 'user.offline', user.name, '', cause)
  redis.call(user.command, user.channel, 's 0 ' .. moment)
end

-- Tells that a room is vacated, if that is so and was not told.
local function vacate(room, cause, ledger)
  if redis.call('HLEN', room.members) == 0 and redis.call('ZREM', room.rooms, room.name) == 1 then
    note(ledger, 'room.vacated', '', room.name, cause)
  end
end

-- Takes some of a member's connections away for good; `rest` are the others. Answers the event's text if the member has
-- left with them.
local function remove_memberships(room, user, connections, rest, cause, ledger)
  redis.call('SREM', room.conns, unpack(connections))
  if rest ~= '' then
    redis.call('HSET', room.members, user, rest)
    return nil
  end
  if redis.call('HDEL', room.members, user) == 0 then return nil end
  note(ledger, 'member.left', user, room.name, cause)
  vacate(room, cause, ledger)
  return spell('l', connections[#connections], user, '')
end
