#!lua flags=allow-oom
-- position: says where a room's stream and its roster stand, and what the log holds behind a number.
--
-- KEYS    1 state, 2 head, 3 log, 4 members (left out where the room keeps no roster)
-- ARGV    1 server, 2 candidate for a new epoch, 3 life of a head without messages in ms, 4 log age in ms,
--         5 whether the room keeps a roster (0, 1), 6 seq behind which the log is read (left out: it is not),
--         7 limit of messages, 8 limit of bytes
-- result  epoch, seq, now, ends (old epoch=last seq, newest first), roster version (0: nobody was ever in the room),
--         members, more (0, 1), then seq, timestamp, body for each message
--         A head that is missing begins here, but with a life of 0 it does not: an inbox is at '' and 0 until its first
--         message.
-- cost    O(messages returned)
local state, head, log, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local run, candidate, head_life, age, has_roster = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local after, most, most_bytes = ARGV[6], ARGV[7], ARGV[8]
local term, is_new_term = meet(state, run)
local epoch, seq, ends, change = head_of(head, term, candidate)
if change == 'missing' and head_life == '0' then return { '', 0, now(), '', 0, 0, 0 } end
settle(state, run, term, is_new_term, head, log, epoch, seq, ends, change)
-- One without messages lives as long as it is asked for and followed, and a little longer; not where nothing may be written.
if seq == 0 and head_life ~= '0' then redis.pcall('PEXPIRE', head, head_life) end

local moment = now()
local answer = { epoch, seq, moment, ends, 0, 0, 0 }
if has_roster == '1' then
  answer[5] = tonumber(redis.call('HGET', head, 'roster') or 0)
  answer[6] = redis.call('HLEN', members)
end
if after and tonumber(after) < seq then
  local _, more = read_log(
    log, answer, 'XRANGE', (after + 1) .. '-0', '+', tonumber(most), tonumber(most_bytes),
    moment - tonumber(age))
  if more then answer[7] = 1 end
end
return answer
