-- Shared opening of the scripts about who is in a room, behind that of the presence scripts.

-- Counts one event in a room's roster version and answers the version; it begins at the clock, so that it never
-- runs backwards when the head was forgotten.
local function step(room, moment)
  local version = redis.call('HINCRBY', room.head, 'roster', '1')
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
