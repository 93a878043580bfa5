-- Shared opening of `connect` and `session_resume`, behind those of the presence scripts and of verdicts; both have the
-- same KEYS and ARGV, which `connect` lists.
local conns, online, session, holders, holdings, lingering = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local fences, events, marks_key, state, inbox_head = KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local verdict_key, states = KEYS[12], KEYS[13]
local node, incarnation, connection, user, address, secret = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local began, cause, life, session_life, ledger_size, command = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local status_channel, mode, most_connections, surplus = ARGV[13], ARGV[14], ARGV[15], ARGV[16]
local nodes_channel, list_life, run, must_announce, issued = ARGV[17], ARGV[18], ARGV[19], ARGV[20], ARGV[21]
local must_keep, dialect, past, moved = ARGV[22], ARGV[23], ARGV[24], ARGV[25]

-- In base 36, so that a record stays below the 64 bytes up to which Redis packs a hash.
local function base36(number)
  local text = ''
  repeat
    local digit = number % 36
    text = string.sub('0123456789abcdefghijklmnopqrstuvwxyz', digit + 1, digit + 1) .. text
    number = (number - digit) / 36
  until number == 0
  return text
end

local marks = { key = marks_key, life = session_life, command = command, channel = nodes_channel }

-- The fence below which the caller is dead in this partition; nil where it is not.
local function fenced()
  local fence = tonumber(redis.call('HGET', fences, node))
  return fence and fence > tonumber(incarnation) and fence or nil
end

-- Sees that the user has room for this connection, which may take the place of `old`. Answers the nodes of those that
-- were marked to be closed for it, or nil where it is the newest that is refused. Lingering ones do not count, unless
-- they are very many, nor do those that are marked already.
local function admit(old)
  local nodes, limit = {}, tonumber(most_connections)
  if limit == 0 then return nodes end
  local count = redis.call('HLEN', conns)
  if count < limit then return nodes end
  -- Each in its grace leaves a session behind, for minutes: who drops connections and makes new ones waits for the grace.
  if old == '' and count >= limit + math.max(limit, 100) then return nil end
  local live, all = {}, redis.call('HGETALL', conns)
  for i = 1, #all, 2 do
    local holder, since = string.match(all[i + 1], '^([^~ ][^ ]*) (%S+) %S+ ?a?$')
    if holder and all[i] ~= connection and all[i] ~= old then
      live[#live + 1] = { all[i], holder, tonumber(since, 36), all[i + 1] }
    end
  end
  if #live < limit then return nodes end
  if surplus == 'refuseNewest' then return nil end
  table.sort(live, function(a, b) return a[3] < b[3] or a[3] == b[3] and a[1] < b[1] end)
  for i = 1, #live - limit + 1 do
    redis.call('HSET', conns, live[i][1], live[i][4] .. ' !')
    nodes[i] = mark(marks, live[i][1], live[i][2], 4409, 'replaced by a newer connection')
  end
  return nodes
end

-- Takes the record, or the grace, of a connection of the session away, and has its socket closed if it is open yet; adds
-- the node that has it to `nodes`.
local function take_over(old, nodes)
  local record = redis.call('HGET', conns, old)
  if record then
    local holder = string.match(record, '^%S+')
    redis.call('HDEL', conns, old)
    redis.call('ZREM', lingering, 'u|' .. old .. '|' .. user)
    if string.sub(holder, 1, 1) ~= '~' then
      nodes[#nodes + 1] = mark(marks, old, holder, 4409, 'the session goes on elsewhere')
    end
  else
    local marked = redis.call('HGET', marks_key, old)
    if marked then nodes[#nodes + 1] = string.match(marked, '^%S+') end
  end
end

-- Writes that the session goes on with this connection in place of `old`, for the time that it does so. Those before it,
-- as many as stay below the 64 bytes, are named as well: each may have left rooms into which nobody has followed yet.
local function move(old, earlier, times)
  local before, count = old, 1
  for id in string.gmatch(earlier or '', '%S+') do
    if count < 4 and id ~= old then before, count = before .. ' ' .. id, count + 1 end
  end
  redis.call('HSET', session, 'b', before, 'n', times)
end

-- Since when a connection that is new counts. Where the oldest has to give way that is later than of all others of the
-- user, whatever Redis's clock has done meanwhile.
local function since_when(moment)
  local since = tonumber(moment)
  if surplus ~= 'closeOldest' or most_connections == '0' then return since end
  for _, record in ipairs(redis.call('HVALS', conns)) do
    since = math.max(since, tonumber(string.match(record, '^%S+ (%S+)'), 36) + 1)
  end
  return since
end

-- How long it is remembered that a user wants to be invisible.
local wish_life = 30 * 86400000

-- Writes the connection's record and entry and the session's fields, and tells that the user is online if that is new.
-- unless the user wants to be invisible. Answers since when the connection is there. `ended` is the number of the disconnection of the user that it came after.
local function register(moment, ended, is_invisible)
  local entry, holder = 'u|' .. connection .. '|' .. user, node .. ':' .. incarnation
  local since = tonumber(began)
  if since == 0 then since = since_when(moment) end
  local text = holder .. ' ' .. base36(since) .. ' ' .. secret
  local is_new = redis.call('HSETNX', conns, connection, text) == 1
  if not is_new then
    local began, rest = string.match(redis.call('HGET', conns, connection), '^%S+ (%S+) %S+(.*)$')
    since = tonumber(began, 36)
    redis.call('HSET', conns, connection, holder .. ' ' .. began .. ' ' .. secret .. rest)
    redis.call('ZREM', lingering, entry)
  end
  redis.call('PEXPIRE', conns, life)
  redis.call('HSET', session, 'u', user, 'c', connection, 'a', address, 'e', ended)
  if dialect ~= '' then redis.call('HSET', session, 'd', dialect) end
  redis.call('PEXPIRE', session, session_life)
  if must_announce == '1' then
    redis.call('SADD', holders, holder)
    redis.call('PEXPIRE', holders, list_life)
  end
  redis.call('SADD', holdings, entry)
  if redis.call('ZADD', online, 'NX', moment, user) == 1 then
    note({ key = events, size = ledger_size }, 'user.online', user, '', cause)
    if is_invisible then
      redis.call('HSET', states, user, 'invisible')
      redis.call('PEXPIRE', states, life)
    else
      redis.call(command, status_channel, 's 1 ' .. moment)
    end
  elseif is_new then
    -- Whoever comes is there until it says otherwise.
    tell_state({ states = states, name = user, command = command, channel = status_channel }, false, moment)
  end
  if is_invisible then remember_wish(inbox_head, wish_life) end
  if must_keep == '1' then
    -- Also where nothing is new: registered again after an outage, the keys may be at their end.
    redis.call('PEXPIRE', holdings, list_life)
    redis.call('PEXPIRE', online, life)
  end
  return since
end
