#!lua flags=allow-oom
-- position: says where a room's stream and its roster stand, and what the log holds behind a number.
--
-- KEYS    1 state, 2 head, 3 log, 4 members (left out where the room keeps no roster)
-- ARGV    1 run_id, 2 candidate for a new epoch, 3 life of a head without messages in ms, 4 log age in ms,
--         5 seq behind which the log is read (left out: it is not), 6 limit of messages, 7 limit of bytes
-- result  epoch, seq, now, ends (old epoch=last seq, newest first), roster version (0: nobody was ever in the room),
--         members, more (0, 1), then seq, timestamp, body for each message
--         A head that is missing begins here, but with a life of 0 it does not: an inbox is at '' and 0 until its first
--         message.
-- cost    O(messages returned)
local term, is_new_term = meet(KEYS[1], ARGV[1])
local epoch, seq, ends, change = head_of(KEYS[2], term, ARGV[2])
if change == 'missing' and ARGV[3] == '0' then return { '', 0, now(), '', 0, 0, 0 } end
settle(KEYS[1], ARGV[1], term, is_new_term, KEYS[2], KEYS[3], epoch, seq, ends, change)
-- One without messages lives as long as it is asked for and followed, and a little longer.
if seq == 0 and ARGV[3] ~= '0' then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end

local moment = now()
local answer = { epoch, seq, moment, ends, 0, 0, 0 }
if KEYS[4] then
  answer[5] = tonumber(redis.call('HGET', KEYS[2], 'roster') or 0)
  answer[6] = redis.call('HLEN', KEYS[4])
end
if ARGV[5] and tonumber(ARGV[5]) < seq then
  local _, more = read_log(
    KEYS[3], answer, 'XRANGE', (ARGV[5] + 1) .. '-0', '+', tonumber(ARGV[6]), tonumber(ARGV[7]),
    moment - tonumber(ARGV[4]))
  if more then answer[7] = 1 end
end
return answer
