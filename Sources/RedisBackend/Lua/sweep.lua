#!lua flags=allow-oom
-- sweep: takes away what a dead incarnation held, or what has outlived its grace, a batch at a time.
--
-- A member whose place another connection of its session is about to take, however late its join comes, is given time
-- until that has come, or is known not to come.
--
-- KEYS    1 coordinator, 2 fence, 3 holders, 4 the dead node's set or linger, 5 online, 6 seen, 7 rooms, 8 events,
--         9 linger, 10 governed, 11 vacant, 12 states, then for each user entry its connections; for each room its members,
--         connections, head, settings; for an entry of guests, and for one of a number that
--         is owed, the room's members, connections, head
-- ARGV    1 the caller's token, 2 `node` or `linger`, 3 node, 4 incarnation; of `linger` by which moment a grace has to
--         be over, as `look` told it, 5 ledger size, 6 PUBLISH or SPUBLISH,
--         7 life of the fence in ms, 8 life of the keys in ms, 9 after which time a member is looked at again that is
--         given time, in ms, 10 what the nodes' channels begin with, then `u`, connection, user, status channel for a user entry; and
--         `r`, room, channel, life of a head without messages in ms, who is told how many connections there are (see
--         `tell_count`), count, then for each entry of the room connection,
--         user, and the connection that is to take its place (its own name: that is open yet; empty: none); and `g`, room,
--         channel, who is told that for an entry of guests, and `n` in the same way where that is owed
-- result  `ok` and how many entries are left (of a node: when none is, its holder is gone too); `refused` where the
--         token is no longer the caller's
-- cost    O(entries + rooms × receivers), once O(nodes fenced within that life); an entry is taken away only if its record still bears that incarnation, or its grace is over
local coordinator, fences, holders, list, online, seen = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local rooms, events, lingering, governed, vacant, states = KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local caller, what, node, incarnation, ledger_size, command = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local fence_life, life, patience, nodes_channel = ARGV[7], ARGV[8], ARGV[9], ARGV[10]
if redis.call('GET', coordinator) ~= caller then return { 'refused' } end
local is_node = what == 'node'
local dead, moment, ledger = node .. ':' .. incarnation, now(), { key = events, size = ledger_size }
incarnation = tonumber(incarnation)
if is_node and (tonumber(redis.call('HGET', fences, node)) or 0) <= incarnation then
  redis.call('HSET', fences, node, incarnation + 1)
  written(fences, node, fence_life, moment)
end

-- Leaves parts out, each { first, last }.
local function cut(packed, parts)
  if #parts == 1 then return splice(packed, parts[1][1], parts[1][2], '') end
  table.sort(parts, function(a, b) return a[1] < b[1] end)
  local kept, from = {}, 1
  for i, part in ipairs(parts) do
    kept[i], from = string.sub(packed, from, part[1] - 1), part[2] + 1
  end
  return table.concat(kept) .. string.sub(packed, from)
end

-- Takes the entry off the list of what is to be done; false where it is not due.
local function take(entry)
  if is_node then return redis.call('SREM', list, entry) == 1 end
  local due = redis.call('ZSCORE', list, entry)
  if not due or tonumber(due) > incarnation then return false end
  return redis.call('ZREM', list, entry) == 1
end

-- Whether a member is given time, which it then has.
local function spare(room, user, connection, successor)
  if successor == '' then return false end
  local packed, is_hidden = read_member(room, user)
  local first, last, holder = find_connection(packed, connection)
  if not first or successor ~= connection and find_connection(packed, successor) then return false end
  local entry = 'r|' .. room.name .. '|' .. user .. '|' .. connection
  if is_node then
    if holder ~= dead or redis.call('SREM', list, entry) == 0 then return false end
    write_member(room, user, splice(packed, first, last, spell_connection(connection, '~node_lost')), is_hidden)
    redis.call('SREM', room.conns, connection)
  elseif not redis.call('ZSCORE', list, entry) then
    return false
  end
  redis.call('ZADD', lingering, moment + patience, entry)
  linger(room.members, lingering, patience, life)
  return true
end

-- Why a connection with this holder goes; nil where it is held anew. Without a holder its record has expired.
local function cause_of(holder)
  if not holder then return is_node and 'node_lost' or 'lost' end
  if is_node then return holder == dead and 'node_lost' or nil end
  return string.match(holder, '^~(%S+)$')
end

-- Takes away what a dead node has said of its guests in a room, or that the grace of one runs.
local function dismiss(room)
  if not take('g|' .. room.name) then return end
  local kept, cause = {}, is_node and 'node_lost' or 'lost'
  for word in string.gmatch(redis.call('HGET', room.head, 'guests') or '', '%S+') do
    if not is_node and string.sub(word, 1, 1) == '~' then
      cause = string.sub(word, 2)
    elseif not is_node or string.match(word, '^[^=]*') ~= dead then
      kept[#kept + 1] = word
    end
  end
  write_guests(room.head, kept)
  vacate(room, cause, ledger)
end

local key, i = 13, 11
while ARGV[i] do
  if ARGV[i] == 'u' then
    local connection, name = ARGV[i + 1], ARGV[i + 2]
    if take('u|' .. connection .. '|' .. name) then
      local record = redis.call('HGET', KEYS[key], connection)
      local cause = cause_of(record and string.match(record, '^%S+'))
      if cause then
        local user = {
          conns = KEYS[key], online = online, seen = seen, states = states, life = life, name = name,
          command = command, channel = ARGV[i + 3],
        }
        remove_connection(user, connection, cause, ledger, moment)
      end
    end
    key, i = key + 1, i + 4
  elseif ARGV[i] == 'g' or ARGV[i] == 'n' then
    local room = {
      name = ARGV[i + 1], channel = ARGV[i + 2], command = command, members = KEYS[key], conns = KEYS[key + 1],
      head = KEYS[key + 2], rooms = rooms, lingering = lingering, list_life = 2 * life,
    }
    if ARGV[i] == 'g' then dismiss(room) else take('n|' .. room.name) end
    tell_count(room, ARGV[i + 3], ledger, moment)
    key, i = key + 3, i + 4
  else
    local room = {
      name = ARGV[i + 1], channel = ARGV[i + 2], head_life = ARGV[i + 3], command = command,
      members = KEYS[key], conns = KEYS[key + 1], head = KEYS[key + 2], rooms = rooms,
      settings = KEYS[key + 3], governed = governed, vacant = vacant, coordinator = coordinator, nodes = nodes_channel,
      lingering = lingering, list_life = 2 * life,
    }
    local told, count, users, taken, events, version = ARGV[i + 4], tonumber(ARGV[i + 5]), {}, {}, {}, nil
    i = i + 6
    for _ = 1, count do
      local connection, user, successor = ARGV[i], ARGV[i + 1], ARGV[i + 2]
      if not spare(room, user, connection, successor) and take('r|' .. room.name .. '|' .. user .. '|' .. connection) then
        if not taken[user] then
          users[#users + 1], taken[user] = user, {}
        end
        table.insert(taken[user], connection)
      end
      i = i + 3
    end
    for _, user in ipairs(users) do
      local packed, is_hidden = read_member(room, user)
      local gone, parts, cause = {}, {}, nil
      for _, connection in ipairs(taken[user]) do
        local first, last, holder = find_connection(packed, connection)
        local why = cause_of(holder)
        if not first then
          vacate(room, why, ledger)
        elseif why then
          gone[#gone + 1], parts[#parts + 1], cause = connection, { first, last }, why
        end
      end
      if cause then
        local event = remove_memberships(room, user, gone, cut(packed, parts), cause, ledger, is_hidden)
        if event then
          events[#events + 1] = event
          version = step(room, moment)
        end
      end
    end
    if version then publish(room, version, moment, events) end
    tell_count(room, told, ledger, moment)
    key = key + 4
  end
end
if not is_node then return { 'ok', redis.call('ZCARD', list) } end
local left = redis.call('SCARD', list)
if left == 0 then redis.call('SREM', holders, dead) end
return { 'ok', left }
