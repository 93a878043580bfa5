#!lua flags=allow-oom
-- prolong: has every grace of a partition begin anew, since Redis's clock has stepped: the ends that were stored say nothing
-- of how long they have run. Or has none last longer than one that begins now, for a coordinator that has just come, and
-- cannot know whether it has.
--
-- KEYS    1 coordinator, 2 linger
-- ARGV    1 the caller's token, 2 grace of a user in ms, 3 of a member,
--         4 `anew`, or `bound`
-- result  how many there are; `refused` where the token is no longer the caller's
-- cost    O(entries of linger)
local coordinator, lingering = KEYS[1], KEYS[2]
local caller, grace, room_grace, mode = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if redis.call('GET', coordinator) ~= caller then return 'refused' end
local moment, entries = now(), redis.call('ZRANGE', lingering, 0, -1)
for _, entry in ipairs(entries) do
  local latest = moment + (string.sub(entry, 1, 2) == 'u|' and grace or room_grace)
  if mode == 'bound' then
    redis.call('ZADD', lingering, 'LT', latest, entry)
  else
    redis.call('ZADD', lingering, latest, entry)
  end
end
return #entries
