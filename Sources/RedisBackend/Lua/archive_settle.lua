#!lua flags=allow-oom
-- archive_settle: takes note that messages are in the archive, and lets go of what nobody waits for any more.
--
-- KEYS    1 messages, 2 redactions
-- ARGV    1 group, 2 how many the stream keeps for other consumers, 3 how many redactions, then their fields, then the ids
-- result  how many are still not settled
-- cost    O(messages)
local stream, redactions, group, kept, redacted = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if redacted > 0 then redis.call('HDEL', redactions, unpack(ARGV, 4, 3 + redacted)) end
for first = 4 + redacted, #ARGV, 1000 do
  redis.pcall('XACK', stream, group, unpack(ARGV, first, math.min(#ARGV, first + 999)))
end
if redis.call('EXISTS', stream) == 0 then return 0 end
local standing = standing_of(stream, group)
if not standing then return 0 end
-- Messages are given and settled in their order, so those that are not settled are the last ones.
local left = standing.pending + standing.behind
if redis.call('XLEN', stream) > math.max(left, kept) then
  redis.call('XTRIM', stream, 'MAXLEN', '~', math.max(left, kept))
end
return left
