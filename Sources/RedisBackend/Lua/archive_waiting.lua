#!lua flags=no-writes
-- archive_waiting: says how much of a partition waits for the archive, to a worker that cannot take it.
--
-- KEYS    1 lease (see archive_take), 2 messages
-- ARGV    1 worker, 2 group
-- result  '' where another worker has the lease; else how many are not settled, and when the oldest of them was written in ms
--         (0: none is)
-- cost    O(groups)
local lease, stream, worker, group = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local held = redis.call('HMGET', lease, 'w', 'e')
if held[1] and held[1] ~= worker and tonumber(held[2]) > tonumber(now()) then return { '' } end
if redis.call('EXISTS', stream) == 0 then return { 0, 0 } end
local standing, oldest = standing_of(stream, group), nil
if not standing then
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  standing = { pending = 0, behind = redis.call('XLEN', stream), next = first and first[1] }
end
if standing.pending > 0 then oldest = redis.call('XPENDING', stream, group)[2] else oldest = standing.next end
return { standing.pending + standing.behind, oldest and tonumber(oldest:match('^%d+')) or 0 }
