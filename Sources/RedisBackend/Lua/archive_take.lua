#!lua flags=allow-oom
-- archive_take: leases a partition to a worker of the archive, or prolongs its lease, and gives it the next messages.
--
-- What was given and not settled comes first where the lease is new: whoever had it may have died before or behind its
-- commit. All workers read as one consumer, since the lease alone says whose turn it is.
--
-- Payloads that were redacted (see `redact.lua`) come along, of whatever messages: what was given before had been written by
-- whoever is given these, or comes again without them.
--
-- KEYS    1 lease (w worker, t token, e end in ms), 2 messages, 3 redactions
-- ARGV    1 worker, 2 life of the lease in ms, 3 what the token must be above, 4 group, 5 limit of messages, 6 whether what
--         was given comes first (0, 1), 7 attempt (a retry may have been given messages that nobody has heard of)
-- result  '' where another worker has the lease; else token, now in ms, how many are not settled (with these), whether these
--         were given before (0, 1), redactions as field and value (some of them), then id and fields of each message
-- cost    O(messages)
local lease, stream, redactions = KEYS[1], KEYS[2], KEYS[3]
local worker, life, floor, group, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local again = ARGV[6] == '1' or ARGV[7] == '1'
local time = tonumber(now())
local held = redis.call('HMGET', lease, 'w', 't', 'e')
local token = tonumber(held[2]) or 0
if not (held[1] == worker and tonumber(held[3]) > 0 and token > floor) then
  if held[1] and held[1] ~= worker and tonumber(held[3]) > time then return { '' } end
  token, again = math.max(time, floor + 1, token + 1), true
end
token = string.format('%.0f', token)
redis.call('HSET', lease, 'w', worker, 't', token, 'e', string.format('%.0f', time + life))
redis.call('PEXPIRE', lease, 86400000)
local answer = { token, time, 0, 0, redis.call('HRANDFIELD', redactions, 200, 'WITHVALUES') }
if redis.call('EXISTS', stream) == 0 then return answer end

local standing = standing_of(stream, group)
if not standing then
  redis.call('XGROUP', 'CREATE', stream, group, '0')
  standing = standing_of(stream, group)
end
local entries = {}
if again and standing.pending > 0 then
  entries = redis.call('XAUTOCLAIM', stream, group, 'archive', 0, '0-0', 'COUNT', limit)[2]
  if #entries > 0 then answer[4] = 1 end
end
if #entries == 0 then
  local read = redis.call('XREADGROUP', 'GROUP', group, 'archive', 'COUNT', limit, 'STREAMS', stream, '>')
  if read then entries = read[1][2] end
end
answer[3] = standing.pending + standing.behind
for _, entry in ipairs(entries) do
  answer[#answer + 1] = entry[1]
  answer[#answer + 1] = entry[2]
end
return answer
