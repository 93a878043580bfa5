#!lua flags=allow-oom
-- prolong: has every grace of a partition begin anew, since Redis's clock has stepped: the ends that were stored say nothing
-- of how long they have run.
--
-- KEYS    1 coordinator, 2 linger
-- ARGV    1 the caller's mark, 2 grace of a user in ms, 3 of a member
-- result  how many there are; `refused` where the mark is no longer the caller's
-- cost    O(entries of linger)
local coordinator, lingering = KEYS[1], KEYS[2]
local caller, grace, room_grace = ARGV[1], ARGV[2], ARGV[3]
if redis.call('GET', coordinator) ~= caller then return 'refused' end
local moment, entries = now(), redis.call('ZRANGE', lingering, 0, -1)
for _, entry in ipairs(entries) do
  redis.call('ZADD', lingering, moment + (string.sub(entry, 1, 2) == 'u|' and grace or room_grace), entry)
end
return #entries
