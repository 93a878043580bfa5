#!lua flags=allow-oom
-- position: says where a room's stream stands, and what came after a position that was seen before.
--
-- KEYS    1 state, 2 head, 3 log
-- ARGV    1 run_id, 2 candidate for a new epoch, 3 life of the head in ms, 4 log age in ms, 5 limit,
--         6 epoch seen, 7 seq seen (left out, both: only the head is asked for)
-- result  epoch, seq, now, good (1: nothing was lost since the position; 0: something was), more (0, 1),
--         then seq, timestamp, body for each message after it
-- cost    O(messages returned)
local term, is_new_term = meet(KEYS[1], ARGV[1])
local epoch, seq, ends, change = head_of(KEYS[2], term, ARGV[2])
settle(KEYS[1], ARGV[1], term, is_new_term, KEYS[2], KEYS[3], epoch, seq, ends, change)
if change == 'missing' then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end

local moment = now()
local answer = { epoch, seq, moment, 1, 0 }
if not ARGV[7] then return answer end
local seen = tonumber(ARGV[7])
if not is_good(ARGV[6], seen, epoch, seq, ends) then
  answer[4] = 0
  return answer
end
if seen < seq then
  local oldest = moment - tonumber(ARGV[4])
  local _, more = read_log(KEYS[3], answer, 'XRANGE', (seen + 1) .. '-0', '+', tonumber(ARGV[5]), oldest)
  if more then answer[5] = 1 end
  if answer[6] ~= seen + 1 then answer[4] = 0 end
end
return answer
