#!lua flags=no-writes
-- roles: says who is what in a governed room.
--
-- KEYS    1 settings
-- ARGV    1 how many of each at most
-- result  host (''; nobody); then three lists, users with a role, mute and banned, each as user and what is stored of it
-- cost    O(what the settings hold)
local settings = KEYS[1]
local most = ARGV[1]
local answer, places = { redis.call('HGET', settings, 'host') or '', {}, {}, {} }, { role = 2, mute = 3, ban = 4 }
local moment, all = now(), redis.call('HGETALL', settings)
for i = 1, #all, 2 do
  local kind, user = string.match(all[i], '^(%a+):(.*)$')
  local list = answer[places[kind]]
  if list and #list < 2 * most and (kind == 'role' or holds(all[i + 1], moment)) then
    list[#list + 1], list[#list + 2] = user, all[i + 1]
  end
end
return answer
