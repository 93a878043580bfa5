#!lua flags=allow-oom
-- disconnect: takes a connection away at once, or begins its grace; tells that the user is offline with the last one.
--
-- KEYS    1 the user's connections, 2 online, 3 seen, 4 session, 5 the node's set, 6 linger, 7 events
-- ARGV    1 node, 2 incarnation, 3 connection, 4 user, 5 `farewell` or `lost`, 6 cause, 7 grace in ms,
--         8 life of the keys in ms, 9 ledger size, 10 PUBLISH or SPUBLISH, 11 the user's status channel
-- result  1, or 0 where the node does not hold the connection (any more), 2 where its session names another by now
-- cost    O(1)
local connection, name = ARGV[3], ARGV[4]
local entry = 'u|' .. connection .. '|' .. name
redis.call('SREM', KEYS[5], entry)
local moment, ledger = now(), { key = KEYS[7], size = ARGV[9] }
local user = {
  conns = KEYS[1], online = KEYS[2], seen = KEYS[3], name = name, command = ARGV[10], channel = ARGV[11],
}
local record = redis.call('HGET', KEYS[1], connection)
if not record then
  remove_connection(user, connection, ARGV[6], ledger, moment)
  local named = redis.call('HGET', KEYS[4], 'c')
  return named and named ~= connection and 2 or 0
end
local holder, rest = string.match(record, '^(%S+)( .*)$')
if not is_held_by(holder, ARGV[1], ARGV[2]) then return 0 end
if ARGV[5] == 'lost' then
  redis.call('HSET', KEYS[1], connection, '~' .. ARGV[6] .. rest)
  redis.call('ZADD', KEYS[6], moment + ARGV[7], entry)
  linger(KEYS[1], KEYS[6], ARGV[7], ARGV[8])
  return 1
end
local session = redis.call('HMGET', KEYS[4], 'c', 'b')
if session[1] == connection then
  redis.call('DEL', KEYS[4])
  -- What remains tells a node that was away, and still has the socket of a connection before, that it is over.
  if session[2] then
    redis.call('HSET', KEYS[4], 'c', connection)
    redis.call('PEXPIRE', KEYS[4], ARGV[8])
  end
end
remove_connection(user, connection, ARGV[6], ledger, moment)
return 1
