#!lua
-- govern: gives a room other settings, or closes it, where those that it has are what the caller has seen; tells all who
-- are in the room.
--
-- KEYS    1 settings, 2 head, 3 state, 4 log
-- ARGV    1 server, 2 the version that they replace (0: none), 3 attempt (0 the first, 1 a retry), 4 operation, 5 life of
--         a head without messages in ms, 6 PUBLISH or SPUBLISH, 7 the room's channel, 8 `set`, `close`, or `clear`
--         (closed, and the log goes as well), 9 life of the settings while nobody renews them, or of the version that is
--         left, in ms (0: no end), then of `set` 10 text, 11 locked, 12 most, 13 slow, 14 join, 15 publish, 16 roles (see
--         `rights.lua`)
-- result  `ok`, the new version; `moved`, the present version
-- cost    O(what the settings hold), and with `clear` the log's length
local settings, head, state, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local run, replaced, attempt, operation, head_life = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local command, channel, what, life, text, locked = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local most, slow, join, publish, roles = ARGV[12], ARGV[13], ARGV[14], ARGV[15], ARGV[16]
local term, is_new_term = meet(state, run)
if is_new_term then begin_term(state, run, term) end
local stored = redis.call('HMGET', settings, 'version', 'term', 'closed', 'last', 'given')
local present = tonumber(stored[1])
if present and stored[2] ~= term then present = carry(settings, head, term) end
if attempt == '1' and stored[4] == operation then return { 'ok', present } end
local shown = (not present or stored[3] == '1') and 0 or present
if tonumber(replaced) ~= shown then return { 'moved', shown } end

local version = present and present + 1 or tonumber(now())
local bars = ''
if what == 'set' then
  bars = bars_of(publish, roles, slow, stored[5])
  redis.call('HSET', settings, 'version', version, 'term', term, 'last', operation, 'closed', '', 'expires', life,
    'bars', bars, 'text', text, 'locked', locked, 'most', most, 'slow', slow, 'join', join, 'publish', publish,
    'roles', roles)
else
  redis.call('DEL', settings)
  redis.call('HSET', settings, 'version', version, 'term', term, 'last', operation, 'closed', '1', 'expires', 0,
    'bars', '', 'text', '')
end
if life == '0' then
  redis.call('PERSIST', settings)
else
  redis.call('PEXPIRE', settings, life)
end
redis.call('HSET', head, 'settings', version .. ' ' .. bars)
if what == 'clear' then
  redis.call('DEL', log)
  redis.call('HDEL', head, 'held', 'due', 'slices')
end
if redis.call('PTTL', head) < head_life / 2 then redis.call('PEXPIRE', head, head_life) end
local told = what == 'set' and 'u ' .. life .. ' ' .. text or 'c 0 '
redis.call(command, channel, 'o ' .. version .. ' ' .. told)
return { 'ok', version }
