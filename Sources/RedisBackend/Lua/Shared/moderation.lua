-- Shared opening of the scripts that change what holds in a room and who is in it, behind those of the head, the roster and
-- the rights.

-- The version that a change brought which is tried again; nil where it was not made.
local function made_before(last, operation)
  local text = ' ' .. (last or '')
  local _, place = string.find(text, ' ' .. operation .. '=', 1, true)
  return place and tonumber(string.match(text, '^%d+', place + 1))
end

-- The last changes with this one before them.
local function with_change(last, operation, version)
  local kept, count = operation .. '=' .. version, 1
  for old in string.gmatch(last or '', '%S+') do
    if count < 16 then kept, count = kept .. ' ' .. old, count + 1 end
  end
  return kept
end

-- Names with one more, where it is not among them.
local function with_name(names, user)
  local name = user .. '\0'
  if string.find(names, '\0' .. name, 1, true) then return names end
  return (names == '' and '\0' or names) .. name
end

-- The names of all who have a role or are mute.
local function all_names(settings, moment)
  local names, place = '', '0'
  repeat
    local part = redis.call('HSCAN', settings, place, 'COUNT', 1000)
    place = part[1]
    for i = 1, #part[2], 2 do
      local kind, user = string.match(part[2][i], '^(%a+):(.*)$')
      if kind == 'role' or kind == 'mute' and holds(part[2][i + 1], moment) then names = with_name(names, user) end
    end
  until place == '0'
  return names
end

-- The names of these bars as they have to be now that roles or mutes of some users have changed: none where they are too
-- many. Before it `many` had a role or were mute, and perhaps some who are no more; where so few have no names, since they had
-- been too many, all are looked up.
local function names_with(bars, many, settings, moment, ...)
  local names = names_of(bars)
  if names == '' and many > 0 then
    names = many <= 100 and all_names(settings, moment) or ''
  else
    for _, user in ipairs({ ... }) do
      local known, name = redis.call('HMGET', settings, 'role:' .. user, 'mute:' .. user), '\0' .. user .. '\0'
      local place = string.find(names, name, 1, true)
      if known[1] or known[2] then
        names = with_name(names, user)
      elseif place then
        names = string.sub(names, 1, place) .. string.sub(names, place + #name)
      end
    end
  end
  -- Every publish reads them.
  return #names > 1 and #names <= 1000 and names or ''
end

-- Notes in the head what it says of settings, and among the partition's rooms that this one is governed, and who is host.
local function proclaim(room, version, bars, host)
  redis.call('HSET', room.head, 'settings', version .. ' ' .. bars)
  if redis.call('PTTL', room.head) < room.head_life / 2 then redis.call('PEXPIRE', room.head, room.head_life) end
  redis.call('HSET', room.governed, room.name, host)
end

-- Takes away what a room says in `out` that matters no more: what is older than its life, and, of a room that `is_shut` now,
-- who had come back after an earlier closing. It looks at about so many fields and goes on next time where it has ended,
-- which stands under `>`, as nobody is called.
local function comb(out, life, moment, most, is_shut)
  local place, seen, stale, oldest = redis.call('HGET', out, '>') or '0', 0, {}, moment - life
  repeat
    local part = redis.call('HSCAN', out, place, 'COUNT', math.min(most, 1000))
    place, seen = part[1], seen + #part[2] / 2
    for i = 1, #part[2], 2 do
      local kind = string.sub(part[2][i], 1, 1)
      if kind == '+' and is_shut or kind ~= '>' and tonumber(part[2][i + 1]) < oldest then
        stale[#stale + 1] = part[2][i]
      end
    end
  until place == '0' or seen >= most
  -- The place first: a hash that had been emptied would have no end.
  if place == '0' then redis.call('HDEL', out, '>') else redis.call('HSET', out, '>', place) end
  for i = 1, #stale, 1000 do redis.call('HDEL', out, unpack(stale, i, math.min(i + 999, #stale))) end
end

-- Takes a user out of a room, with the connections in their grace, none of which comes back by itself: not as registered
-- again, nor with its session. Adds the nodes that hold some. Answers the event's text.
local function expel(room, user, packed, ledger, nodes, is_hidden)
  local gone, moment = {}, now()
  for connection, holder in string.gmatch(connections_of(packed), '\2([^\1]*)\1([^\2]*)') do
    gone[#gone + 1] = connection
    redis.call('HSET', room.out, connection, moment)
    if string.sub(holder, 1, 1) == '~' then
      redis.call('ZREM', room.lingering, 'r|' .. room.name .. '|' .. user .. '|' .. connection)
    else
      nodes[string.match(holder, '^[^:]+')] = true
    end
  end
  redis.call('HSET', room.out, '@' .. user, moment)
  redis.call('PEXPIRE', room.out, room.out_life)
  return remove_memberships(room, user, gone, '', 'kicked', ledger, is_hidden)
end

-- Has these nodes put a user's connections out of a room (''; all of the room), as a hint over their channels, and as a
-- mark for those that do not hear it. Answers their names.
local function tell_out(room, nodes, kind, version, user, reason)
  local told = {}
  local text = 'k ' .. kind .. ' ' .. version .. ' ' .. #room.name .. ' ' .. #user .. ' ' .. room.name .. user .. reason
  for node in pairs(nodes) do
    told[#told + 1] = node
    redis.call('HSET', room.marks, '|' .. node .. '|' .. room.name, node .. ' 4403 ')
    redis.call('PEXPIRE', room.marks, room.marks_life)
    redis.call(room.command, room.nodes .. node, text)
  end
  return told
end

-- Appends a change to the ledger, with what it says besides as JSON.
local function note_change(ledger, kind, user, room, details)
  local fields = { 't', kind, 'u', user, 'r', room, 'c', '', 'd', details }
  if (ledger.caused_by or '') ~= '' then fields[11], fields[12] = 'w', ledger.caused_by end
  redis.call('XADD', ledger.key, 'MAXLEN', '~', ledger.size, '*', unpack(fields))
end
