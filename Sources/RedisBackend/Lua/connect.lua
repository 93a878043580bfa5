#!lua
-- connect: registers a connection of a user with its node, and tells that the user is online if that is new.
--
-- KEYS    1 the user's connections, 2 online, 3 session, 4 holders, 5 the node's set, 6 linger, 7 fence, 8 events
-- ARGV    1 node, 2 incarnation, 3 connection, 4 user, 5 address, 6 session, 7 since in ms (0: now), 8 cause,
--         9 life of the keys in ms, 10 life of the session in ms, 11 ledger size, 12 PUBLISH or SPUBLISH,
--         13 the user's status channel, 14 `new`, or `again` for one that was registered before
-- result  `ok`, since, now, whether the session is new (0, 1); `fenced`, the incarnation below which the node is dead here; `replaced` where it is
--         registered again and its session names another connection by now
-- cost    O(1)
local node, incarnation, connection, user, life = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[9]
local fence = redis.call('HGET', KEYS[7], node)
if fence and tonumber(fence) > tonumber(incarnation) then return { 'fenced', tonumber(fence) } end
local named = redis.call('HGET', KEYS[3], 'connection')
if ARGV[14] == 'again' and named and named ~= connection then return { 'replaced' } end

local moment = now()
local since = tonumber(ARGV[7])
local record = redis.call('HGET', KEYS[1], connection)
if record then since = tonumber(string.match(record, '^%S+ (%d+)')) end
if since == 0 then since = moment end
local entry, holder = 'u|' .. connection .. '|' .. user, node .. ':' .. incarnation
redis.call('HSET', KEYS[1], connection, holder .. ' ' .. since .. ' ' .. ARGV[5] .. ' ' .. ARGV[6] .. ' -')
redis.call('PEXPIRE', KEYS[1], life)
redis.call('HSET', KEYS[3], 'user', user, 'connection', connection)
redis.call('PEXPIRE', KEYS[3], ARGV[10])
redis.call('SADD', KEYS[4], holder)
redis.call('PEXPIRE', KEYS[4], life)
redis.call('SADD', KEYS[5], entry)
redis.call('PEXPIRE', KEYS[5], life)
redis.call('ZREM', KEYS[6], entry)
if redis.call('ZADD', KEYS[2], 'NX', moment, user) == 1 then
  note({ key = KEYS[8], size = ARGV[11] }, 'user.online', user, '', ARGV[8])
  redis.call(ARGV[12], ARGV[13], 's 1 ' .. moment)
end
redis.call('PEXPIRE', KEYS[2], life)
return { 'ok', since, moment, named and 0 or 1 }
