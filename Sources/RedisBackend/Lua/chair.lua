#!lua flags=no-writes
-- chair: tells a coordinator who could follow the host of a room, where that has left it.
--
-- KEYS    1 coordinator, 2 settings, 3 members, 4 head
-- ARGV    1 the caller's token
-- result  `refused` where the token is no longer the caller's; `kept` where nobody is to follow: there is no host, or it is
--         in the room, or nobody else is; else `vacant`, version, how it is handed over ('': by role), roles (see
--         `rights.lua`), and for each member user, role, when it came in in ms (when the room was governed, of one who was there
--         before), whether it has a connection (0, 1)
-- cost    O(members)
local coordinator, settings, members, head = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local caller = ARGV[1]
if redis.call('GET', coordinator) ~= caller then return { 'refused' } end
local stored = redis.call('HMGET', settings, 'version', 'host', 'handover', 'roles', 'since')
local host = stored[2] or ''
if host == '' or stored[3] == 'none' then return { 'kept' } end
-- One who is invisible is in the head.
if redis.call('HEXISTS', members, host) == 1 or redis.call('HEXISTS', head, 'h:' .. host) == 1 then return { 'kept' } end
local answer, all = { 'vacant', tonumber(stored[1]), stored[3] or '', stored[4] or '' }, redis.call('HGETALL', members)
if #all == 0 then return { 'kept' } end
for i = 1, #all, 2 do
  local found = redis.call('HMGET', settings, 'role:' .. all[i], 'since:' .. all[i])
  local n = #answer
  local since = tonumber(string.match(found[2] or stored[5] or '', '^%d+')) or 0
  answer[n + 1], answer[n + 2], answer[n + 3] = all[i], found[1] or 'member', since
  answer[n + 4] = string.find(all[i + 1], '\1[^~\2]') and 1 or 0
end
return answer
