#!lua flags=allow-oom
-- disconnect: takes a connection away at once, or begins its grace; tells that the user is offline with the last one.
--
-- KEYS    1 the user's connections, 2 online, 3 seen, 4 session, 5 the node's set, 6 linger, 7 events, 8 states, and of one
--         that Redis had taken in 9 fence, 10 holders
-- ARGV    1 node, 2 incarnation, 3 connection, 4 user, 5 `farewell` or `lost`, 6 cause, 7 grace in ms,
--         8 life of the keys in ms, 9 ledger size, 10 PUBLISH or SPUBLISH, 11 the user's status channel,
--         12 life of the session in ms, and of one that Redis had taken in 13 since when it was there, in base 36,
--         14 the incarnation under which its node had registered all of the partition, 15 the session's
--         secret, 16 whether the user is invisible (0, 1)
-- result  1, or 0 where the node does not hold the connection (any more), 2 where its session names another by now, 3 where
--         Redis had lost it and did not tell that it has gone: whatever the mode, its grace has begun, in which other
--         nodes may register the user again
-- cost    O(1)
local conns, online, seen, session_key, held, lingering = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local events, states, fences, holders = KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local node, incarnation, connection, name, mode, cause = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local grace, life, ledger_size, command, channel = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local session_life, since, past, secret, is_invisible = ARGV[12], ARGV[13], ARGV[14], ARGV[15], ARGV[16] == '1'
local entry = 'u|' .. connection .. '|' .. name
redis.call('SREM', held, entry)
local moment, ledger = now(), { key = events, size = ledger_size }
local user = {
  conns = conns, online = online, seen = seen, states = states, life = life, name = name, command = command,
  channel = channel,
}

-- Whether Redis has lost a connection of which it has nothing, and did not tell that it has gone: its node was not swept
-- since, and is not known here as it was then, and the user was not told offline.
local function is_forgotten()
  local fence = redis.call('HGET', fences, node)
  if fence and tonumber(fence) > tonumber(past) then return false end
  if incarnation == past and redis.call('SISMEMBER', holders, node .. ':' .. past) == 1 then return false end
  local last = redis.call('ZSCORE', seen, name)
  return not last or tonumber(last) < tonumber(since, 36)
end

local record = redis.call('HGET', conns, connection)
if not record then
  local named = redis.call('HGET', session_key, 'c')
  if since and not named and is_forgotten() then
    redis.call('HSET', conns, connection, '~' .. cause .. ' ' .. since .. ' ' .. secret)
    redis.call('ZADD', lingering, moment + grace, entry)
    redis.call('PEXPIRE', conns, life)
    linger(conns, lingering, grace, life)
    -- Watchers know the user as online. The ledger may have lost that it was told.
    if redis.call('ZADD', online, 'NX', moment, name) == 1 then
      note(ledger, 'user.online', name, '', 'restored')
      if is_invisible then
        redis.call('HSET', states, name, 'invisible')
        redis.call('PEXPIRE', states, life)
      end
    end
    redis.call('PEXPIRE', online, life)
    return 3
  end
  remove_connection(user, connection, cause, ledger, moment)
  return named and named ~= connection and 2 or 0
end
local holder, rest = string.match(record, '^(%S+)( .*)$')
if not is_held_by(holder, node, incarnation) then return 0 end
if mode == 'lost' then
  redis.call('HSET', conns, connection, '~' .. cause .. rest)
  redis.call('ZADD', lingering, moment + grace, entry)
  linger(conns, lingering, grace, life)
  return 1
end
local session = redis.call('HMGET', session_key, 'c', 'b', 'n')
if session[1] == connection then
  redis.call('DEL', session_key)
  -- What remains tells a node that was away, and still has the socket of a connection before, that it is over.
  if session[2] then
    redis.call('HSET', session_key, 'c', connection, 'n', session[3] or 1)
    redis.call('PEXPIRE', session_key, session_life)
  end
end
remove_connection(user, connection, cause, ledger, moment)
return 1
