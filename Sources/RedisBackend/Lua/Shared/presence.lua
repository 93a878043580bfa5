-- Shared opening of the presence scripts; put behind their first line when they are loaded.
--
-- What was told is kept in `online` and `members`; a connection's record says what is true. An event is told exactly
-- when a change to the former succeeds, so a script that runs twice tells nothing twice. A holder is
-- `node:incarnation` while a node holds the connection, and `~cause` while its grace runs.

-- What is in its grace is renewed by nobody: it lives until that is over, and `linger`, which names it, longer still.
local function linger(record, list, grace, life)
  redis.call('PEXPIRE', record, grace + life, 'GT')
  redis.call('PEXPIRE', list, grace + 2 * life)
end

-- Where a room's stream stands, so that `position` need not be asked: epoch and seq; '' and 0 where it was never written
-- to, '' and -1 where its head is from an earlier run of Redis. Then what the head says of the room's settings,
-- how many members it hides, and of an inbox what its user wants to be.
local function standing(state, head, run)
  local stored = redis.call('HMGET', head, 'epoch', 'term', 'seq', 'settings', 'hidden', 'state')
  if not stored[1] then return '', 0, stored[4], stored[5], stored[6] end
  local present = redis.call('HMGET', state, 'run', 'term')
  if present[1] ~= run or present[2] ~= stored[2] then return '', -1, stored[4], stored[5], stored[6] end
  return stored[1], tonumber(stored[3]), stored[4], stored[5], stored[6]
end

-- Whether a holder is this node, under this incarnation or an older one.
local function is_held_by(holder, node, incarnation)
  local name, held = string.match(holder, '^([^:]+):(%d+)$')
  return name == node and tonumber(held) <= tonumber(incarnation)
end

-- A field of a hash that has one for each node was written. Names of nodes come once, so that what was not written for
-- so long goes; when it was stands beside it under `<node>:at`, as no node is called.
local function written(hash, node, life, moment)
  redis.call('HSET', hash, node .. ':at', moment)
  redis.call('PEXPIRE', hash, life)
  local all, times = redis.call('HGETALL', hash), {}
  for i = 1, #all, 2 do times[all[i]] = all[i + 1] end
  for field in pairs(times) do
    local time = times[field .. ':at']
    if string.sub(field, -3) == ':at' then
      -- Looked at with its node.
    elseif not time then
      redis.call('HSET', hash, field .. ':at', moment)
    elseif moment - time > tonumber(life) then
      redis.call('HDEL', hash, field, field .. ':at')
    end
  end
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
  if (ledger.caused_by or '') ~= '' then
    redis.call('XADD', ledger.key, 'MAXLEN', '~', ledger.size, '*', 't', kind, 'u', user, 'r', room, 'c', cause,
      'w', ledger.caused_by)
  else
    redis.call('XADD', ledger.key, 'MAXLEN', '~', ledger.size, '*', 't', kind, 'u', user, 'r', room, 'c', cause)
  end
end

-- Whether all of these records of a user's connections say that they are away; those in their grace count as they were.
local function are_away(records)
  for _, record in ipairs(records) do
    if not string.find(record, '^%S+ %S+ %S+ a') then return false end
  end
  return true
end

-- Sees that an inbox's head lives as long as its user's wish is remembered.
local function remember_wish(inbox, life)
  if redis.call('PTTL', inbox) < tonumber(life) then redis.call('PEXPIRE', inbox, life) end
end

-- Tells whether a user who is online is away, if that is new: `states` holds what was told of those who are not simply
-- there. Of one who is invisible nothing is told.
local function tell_state(user, is_away, moment)
  local told = redis.call('HGET', user.states, user.name)
  if told == 'invisible' or is_away == (told == 'away') then return end
  if is_away then
    if not redis.call('ZSCORE', user.online, user.name) then return end
    redis.call('HSET', user.states, user.name, 'away')
    redis.call('PEXPIRE', user.states, user.life)
  else
    redis.call('HDEL', user.states, user.name)
  end
  redis.call(user.command, user.channel, (is_away and 's 2 ' or 's 1 ') .. moment)
end

-- Takes a user's connection away for good; tells that the user went offline if no other is left, and is away if all that
-- are left are. Also where the connection's record is gone already: a user without connections must not stay online.
local function remove_connection(user, connection, cause, ledger, moment)
  redis.call('HDEL', user.conns, connection)
  local count = redis.call('HLEN', user.conns)
  if count > 0 then
    -- More than a person has: what each of thousands costs would grow with their number.
    if count <= 100 and are_away(redis.call('HVALS', user.conns)) then tell_state(user, true, moment) end
    return
  end
  if redis.call('ZREM', user.online, user.name) == 0 then return end
  local told = redis.call('HGET', user.states, user.name)
  if told then redis.call('HDEL', user.states, user.name) end
  note(ledger, 'user.offline', user.name, '', cause)
  -- Who was not to be seen has been offline for all others since.
  if told == 'invisible' then return end
  redis.call('ZADD', user.seen, moment, user.name)
  redis.call(user.command, user.channel, 's 0 ' .. moment)
end
