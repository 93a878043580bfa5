#!lua flags=allow-oom
-- disconnect: takes a connection away at once, or begins its grace; tells that the user is offline with the last one.
--
-- KEYS    1 the user's connections, 2 online, 3 seen, 4 session, 5 the node's set, 6 linger, 7 events, 8 states
-- ARGV    1 node, 2 incarnation, 3 connection, 4 user, 5 `farewell` or `lost`, 6 cause, 7 grace in ms,
--         8 life of the keys in ms, 9 ledger size, 10 PUBLISH or SPUBLISH, 11 the user's status channel,
--         12 life of the session in ms
-- result  1, or 0 where the node does not hold the connection (any more), 2 where its session names another by now
-- cost    O(1)
local conns, online, seen, session_key, held, lingering = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local events, states = KEYS[7], KEYS[8]
local node, incarnation, connection, name, mode, cause = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local grace, life, ledger_size, command, channel = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local session_life = ARGV[12]
local entry = 'u|' .. connection .. '|' .. name
redis.call('SREM', held, entry)
local moment, ledger = now(), { key = events, size = ledger_size }
local user = {
  conns = conns, online = online, seen = seen, states = states, life = life, name = name, command = command,
  channel = channel,
}
local record = redis.call('HGET', conns, connection)
if not record then
  remove_connection(user, connection, cause, ledger, moment)
  local named = redis.call('HGET', session_key, 'c')
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
