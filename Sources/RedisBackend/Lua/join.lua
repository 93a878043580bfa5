#!lua
-- join: makes a connection's user a member of a room, and tells it if that is new.
--
-- KEYS    1 members, 2 the room's connections, 3 rooms, 4 head, 5 holders, 6 the node's set, 7 linger, 8 fence,
--         9 events, 10 state
-- ARGV    1 node, 2 incarnation, 3 connection, 4 user, 5 room, 6 info, 7 cause, 8 life of the keys in ms,
--         9 life of a head without messages in ms, 10 ledger size, 11 PUBLISH or SPUBLISH, 12 the room's channel,
--         13 the connection whose place it takes, or its grace's (empty: none), 14 life of `holders` and the node's
--         set, which outlive what they name, in ms, 15 run_id, 16 whether the node has to be put among the holders (0, 1)
-- result  `ok`, members, roster version, now, epoch and seq of the room's stream (as `standing` tells them); `fenced`,
--         the incarnation below which the node is dead here
-- cost    O(1), but for copying what is kept of the user's connections in the room, some 60 bytes each
local node, incarnation, connection, user, name, info = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local life = ARGV[8]
local fence = redis.call('HGET', KEYS[8], node)
if fence and tonumber(fence) > tonumber(incarnation) then return { 'fenced', tonumber(fence) } end

local moment = now()
local room = {
  members = KEYS[1], head = KEYS[4], head_life = ARGV[9], command = ARGV[11], channel = ARGV[12],
}
local packed = connections_of(redis.call('HGET', KEYS[1], user) or '')
if ARGV[13] ~= '' then
  local first, last = find_connection(packed, ARGV[13])
  if first then
    packed = splice(packed, first, last, '')
    redis.call('SREM', KEYS[2], ARGV[13])
    redis.call('ZREM', KEYS[7], 'r|' .. name .. '|' .. user .. '|' .. ARGV[13])
  end
end
local entry, holder = 'r|' .. name .. '|' .. user .. '|' .. connection, node .. ':' .. incarnation
local own, last = find_connection(packed, connection)
local text = spell_connection(connection, holder)
packed = own and splice(packed, own, last, text) or packed .. text
local is_new = redis.call('HSET', KEYS[1], user, info .. packed) == 1
-- Also where nothing is new: joined again after an outage, the keys may be at their end.
redis.call('PEXPIRE', KEYS[1], life)
redis.call('SADD', KEYS[2], connection)
redis.call('PEXPIRE', KEYS[2], life)
if ARGV[16] == '1' then
  redis.call('SADD', KEYS[5], holder)
  redis.call('PEXPIRE', KEYS[5], ARGV[14])
end
redis.call('SADD', KEYS[6], entry)
redis.call('PEXPIRE', KEYS[6], ARGV[14])
if own then redis.call('ZREM', KEYS[7], entry) end
local ledger = { key = KEYS[9], size = ARGV[10] }
if redis.call('ZADD', KEYS[3], 'NX', moment, name) == 1 then note(ledger, 'room.occupied', '', name, ARGV[7]) end
redis.call('PEXPIRE', KEYS[3], life)
if is_new then
  note(ledger, 'member.joined', user, name, ARGV[7])
  local version = step(room, moment)
  keep(KEYS[4], ARGV[9])
  -- Who comes is told by the answer; who is registered again by this step, like the others.
  local maker = ARGV[7] == '' and connection or '-'
  local members = publish(room, version, moment, { spell('j', maker, user, info) })
  return { 'ok', members, version, moment, standing(KEYS[10], KEYS[4], ARGV[15]) }
end
redis.call('HSETNX', KEYS[4], 'roster', moment)
keep(KEYS[4], ARGV[9])
local version = tonumber(redis.call('HGET', KEYS[4], 'roster'))
return { 'ok', redis.call('HLEN', KEYS[1]), version, moment, standing(KEYS[10], KEYS[4], ARGV[15]) }
