#!lua flags=allow-oom
-- hand_over: gives the chair of a host who has left the room to another member, where nothing has changed since the
-- coordinator looked; tells all who are in the room.
--
-- KEYS    1 coordinator, 2 settings, 3 members, 4 head, 5 state, 6 events, 7 governed, 8 vacant
-- ARGV    1 the caller's token, 2 server, 3 room, 4 the version that it saw, 5 who is to follow ('': nobody), 6 ledger size,
--         7 life of a head without messages in ms, 8 PUBLISH or SPUBLISH, 9 the room's channel
-- result  `ok` and the version; `kept` where the host stays, or is back; `moved` where something has changed; `refused` where
--         the token is no longer the caller's
-- cost    O(1); where names are to be looked up again (see `names_with`), O(what the settings hold)
local coordinator, settings, members, head, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local events, governed, vacant = KEYS[6], KEYS[7], KEYS[8]
local caller, run, name, seen, user, ledger_size = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local head_life, command, channel = ARGV[7], ARGV[8], ARGV[9]
if redis.call('GET', coordinator) ~= caller then return { 'refused' } end
local stored = redis.call('HMGET', settings, 'version', 'term', 'host', 'role:' .. user, 'given', 'bars', 'mutes')
local host = stored[3] or ''
if user == '' or host == '' or redis.call('HEXISTS', members, host) == 1
  or redis.call('HEXISTS', head, 'h:' .. host) == 1
then
  redis.call('ZREM', vacant, name)
  return { 'kept' }
end
if stored[1] ~= seen or redis.call('HEXISTS', members, user) == 0 then return { 'moved' } end
local term, is_new_term = meet(state, run)
if is_new_term then begin_term(state, run, term) end
local present = stored[2] ~= term and carry(settings, head, term) or tonumber(seen)
local version = present + 1
local many = tonumber(stored[5] or 0) + tonumber(stored[7] or 0)
redis.call('HDEL', settings, 'role:' .. host)
redis.call('HSET', settings, 'role:' .. user, 'host')
local bars = names_with(stored[6], many, settings, now(), user, host) .. string.match(stored[6], '[^%z]*$')
redis.call('HSET', settings, 'version', version, 'host', user, 'given', stored[4] and stored[5] - 1 or stored[5], 'bars',
  bars)
local room = { name = name, head = head, head_life = head_life, governed = governed }
proclaim(room, version, bars, user)
redis.call('ZREM', vacant, name)
note_change({ key = events, size = ledger_size }, 'room.host_changed', user, name, '{"version":' .. version .. '}')
redis.call(command, channel, 'o ' .. version .. ' h ' .. #user .. ' ' .. user .. 'host')
return { 'ok', version }
